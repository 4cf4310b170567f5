/* SPDX-License-Identifier: Apache-2.0 */
/* FeaturePower: the squares of a spectrum's magnitudes, or the magnitudes. */
#ifndef TS_POWER_SPECTRUM_H
#define TS_POWER_SPECTRUM_H

#include <stdint.h>

#include "common/math.h"

typedef struct {
    int32_t count, magnitude;
} ts_power_spectrum_params;

/* input [count][2] (re, im) to output [count]. */
static inline void ts_power_spectrum(const ts_power_spectrum_params *p, const float *input, float *output)
{
    for (int32_t i = 0; i < p->count; i++) {
        const float re = input[2 * i], im = input[2 * i + 1];
        const float power = re * re + im * im;
        output[i] = p->magnitude ? ts_sqrtf(power) : power;
    }
}

#endif
