/* SPDX-License-Identifier: Apache-2.0 */
/* QUANTIZE from float32 to int8 by comparisons of integers, for cores without floating point. */
#ifndef TS_QUANTIZE_STEPS_H
#define TS_QUANTIZE_STEPS_H

#include <stdint.h>

#include "common/math.h"

/* steps[i]: the least float32 that gives i - 127, by its bits as an int32, turned over where it is negative. */
typedef struct {
    int32_t elements;
    const int32_t *steps;
} ts_quantize_steps_params;

/* Equal to ts_quantize_f32_s8; NaN gives -128. */
static inline void ts_quantize_f32_s8_by_steps(const ts_quantize_steps_params *p, const float *input, int8_t *output)
{
    for (int32_t i = 0; i < p->elements; i++) {
        ts_float_bits value;
        value.value = input[i];
        int32_t key = (int32_t)(value.bits ^ ((uint32_t)((int32_t)value.bits >> 31) >> 1));
        if (key > 0x7f800000) {
            key = INT32_MIN;
        }
        const int32_t *reached = p->steps;
#pragma GCC unroll 8
        for (int32_t half = 128; half > 0; half /= 2) {
            if (reached[half - 1] <= key) {
                reached += half;
            }
        }
        output[i] = (int8_t)((int32_t)(reached - p->steps) - 128);
    }
}

#endif
