/* SPDX-License-Identifier: Apache-2.0 */
/* CUMSUM: running sums along one axis of [outer][extent][inner]. */
#ifndef TS_CUMSUM_H
#define TS_CUMSUM_H

#include <stdint.h>

#include "common/axis.h"
#include "common/fixed_point.h"

/* exclusive: each sum without its own value; reverse: from the end of the axis. */
typedef struct {
    int32_t outer, extent, inner, exclusive, reverse;
    int32_t input_offset, output_offset;
    ts_factor input_factor, output_factor;
} ts_cumsum_params;

/* Equal to TFLM's CumSum: values with 20 more bits, and sums that start at the real value of the integer 0. */
static inline void ts_cumsum_s8(const ts_cumsum_params *p, const int8_t *input, int8_t *output)
{
    const int32_t first = p->reverse ? (p->extent - 1) * p->inner : 0, step = p->reverse ? -p->inner : p->inner;
    for (int32_t o = 0; o < p->outer; o++, input += p->extent * p->inner, output += p->extent * p->inner) {
        for (int32_t i = 0; i < p->inner; i++) {
            int32_t sum = ts_requantize_by(p->input_offset * (1 << 20), p->input_factor);
            for (int32_t n = 0, at = first + i; n < p->extent; n++, at += step) {
                const int32_t value = (input[at] + p->input_offset) * (1 << 20);
                const int32_t next = ts_wrap_add(sum, ts_requantize_by(value, p->input_factor));
                const int32_t shown = ts_requantize_by(p->exclusive ? sum : next, p->output_factor);
                output[at] = (int8_t)ts_clamp(ts_wrap_add(shown, p->output_offset), INT8_MIN, INT8_MAX);
                sum = next;
            }
        }
    }
}

static inline void ts_cumsum_f32(const ts_cumsum_params *p, const float *input, float *output)
{
    const int32_t first = p->reverse ? (p->extent - 1) * p->inner : 0, step = p->reverse ? -p->inner : p->inner;
    for (int32_t o = 0; o < p->outer; o++, input += p->extent * p->inner, output += p->extent * p->inner) {
        for (int32_t i = 0; i < p->inner; i++) {
            float sum = 0.0f;
            for (int32_t n = 0, at = first + i; n < p->extent; n++, at += step) {
                const float next = sum + input[at];
                output[at] = p->exclusive ? sum : next;
                sum = next;
            }
        }
    }
}

/* The axis is computed at run time: sums hold the rest. Outputs are all 0 where the input has no such axis. */
typedef struct {
    ts_cumsum_params sums;
    int32_t rank, elements;
    int32_t shape[TS_AXIS_RANK];
} ts_cumsum_at_params;

#define TS_CUMSUM_AT(SUFFIX, T)                                                                                        \
    static inline void ts_cumsum_##SUFFIX##_at(const ts_cumsum_at_params *p, const T *input, const int32_t *axis,      \
                                               T *output)                                                              \
    {                                                                                                                  \
        const ts_axis around = ts_axis_of(*axis, p->rank, p->shape);                                                   \
        ts_cumsum_params params = p->sums;                                                                             \
        params.outer = around.outer;                                                                                   \
        params.extent = around.extent;                                                                                 \
        params.inner = around.inner;                                                                                   \
        if (around.extent > 0) {                                                                                       \
            ts_cumsum_##SUFFIX(&params, input, output);                                                                \
            return;                                                                                                    \
        }                                                                                                              \
        for (int32_t i = 0; i < p->elements; i++) {                                                                    \
            output[i] = 0;                                                                                             \
        }                                                                                                              \
    }

TS_CUMSUM_AT(s8, int8_t)
TS_CUMSUM_AT(f32, float)

#undef TS_CUMSUM_AT

#endif
