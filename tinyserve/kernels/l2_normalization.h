/* SPDX-License-Identifier: Apache-2.0 */
/* L2_NORMALIZATION of rows: each divided by its Euclidean norm. */
#ifndef TS_L2_NORMALIZATION_H
#define TS_L2_NORMALIZATION_H

#include <stdint.h>

#include "common/fixed_point.h"
#include "common/inverse_sqrt.h"
#include "common/math.h"

typedef struct {
    int32_t rows, depth;
    int32_t input_offset;
} ts_l2_normalization_s8_params;

/* int8 with output scale 1/128 and zero point 0, equal to TFLM's reference_integer_ops::L2Normalization. */
static inline void ts_l2_normalization_s8(const ts_l2_normalization_s8_params *p, const int8_t *input, int8_t *output)
{
    for (int32_t r = 0; r < p->rows; r++, input += p->depth) {
        int32_t sum = 0;
        for (int32_t i = 0; i < p->depth; i++) {
            const int32_t value = input[i] + p->input_offset;
            sum += value * value;
        }
        const ts_factor inverse = ts_inverse_sqrt(sum);
        for (int32_t i = 0; i < p->depth; i++) {
            const int32_t value = ts_requantize(input[i] + p->input_offset, inverse.multiplier, inverse.shift + 7);
            *output++ = (int8_t)ts_clamp(value, INT8_MIN, INT8_MAX);
        }
    }
}

typedef struct {
    int32_t rows, depth;
} ts_l2_normalization_f32_params;

/* float32, as TFLM's reference_ops::L2Normalization: norms below 1e-6 count as 1e-6. */
static inline void ts_l2_normalization_f32(const ts_l2_normalization_f32_params *p, const float *input, float *output)
{
    for (int32_t r = 0; r < p->rows; r++, input += p->depth) {
        float sum = 0.0f;
        for (int32_t i = 0; i < p->depth; i++) {
            sum += input[i] * input[i];
        }
        float norm = ts_sqrtf(sum);
        norm = norm < 1e-6f ? 1e-6f : norm;
        for (int32_t i = 0; i < p->depth; i++) {
            *output++ = input[i] / norm;
        }
    }
}

#endif
