/* SPDX-License-Identifier: Apache-2.0 */
/* ADD_N: the sum of several inputs of one shape, one input per call. */
#ifndef TS_ADD_N_H
#define TS_ADD_N_H

#include <stdint.h>

#include "common/fixed_point.h"

typedef struct {
    int32_t elements, first;
    int32_t input_offset, output_offset;
    ts_factor input_factor, output_factor;
} ts_add_n_params;

/* Bytes of the sums of int8. */
#define TS_ADD_N_SUMS_BYTES(elements) (4 * (elements))

/* Equal to TFLM's AddN: values with 20 more bits, and sums that start at the real value of the integer 0. */
static inline void ts_add_n_s8(const ts_add_n_params *p, const int8_t *input, int32_t *sums)
{
    const int32_t start = ts_requantize_by(p->input_offset * (1 << 20), p->input_factor);
    for (int32_t i = 0; i < p->elements; i++) {
        const int32_t value = (input[i] + p->input_offset) * (1 << 20);
        sums[i] = ts_wrap_add(p->first ? start : sums[i], ts_requantize_by(value, p->input_factor));
    }
}

static inline void ts_add_n_finish_s8(const ts_add_n_params *p, const int32_t *sums, int8_t *output)
{
    for (int32_t i = 0; i < p->elements; i++) {
        const int32_t value = ts_requantize_by(sums[i], p->output_factor);
        output[i] = (int8_t)ts_clamp(ts_wrap_add(value, p->output_offset), INT8_MIN, INT8_MAX);
    }
}

static inline void ts_add_n_f32(const ts_add_n_params *p, const float *input, float *sums)
{
    for (int32_t i = 0; i < p->elements; i++) {
        sums[i] = (p->first ? 0.0f : sums[i]) + input[i];
    }
}

#endif
