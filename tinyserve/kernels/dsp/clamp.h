/* SPDX-License-Identifier: Apache-2.0 */
/* Bounds of a fused activation, for layers whose kernels write all of int8. In place. */
#ifndef TS_DSP_CLAMP_H
#define TS_DSP_CLAMP_H

#include <stdint.h>

#include "../common/params.h"
#include "common.h"

typedef struct {
    int32_t elements;
    ts_activation activation;
} ts_dsp_clamp_s8_params;

TS_DSP_SHARED void ts_dsp_clamp_s8(const ts_dsp_clamp_s8_params *p, int8_t *values)
{
    const int32_t low = p->activation.min, high = p->activation.max;
    for (int8_t *const end = values + p->elements; values < end; values++) {
        const int32_t value = *values < low ? low : *values;
        *values = (int8_t)(value > high ? high : value);
    }
}

#endif
