/* SPDX-License-Identifier: Apache-2.0 */
/* ARG_MAX and ARG_MIN along one axis: the index of the first extreme value. */
#ifndef TS_ARG_MAX_H
#define TS_ARG_MAX_H

#include <stdint.h>

#include "common/axis.h"

/* Input [outer][extent][inner], output [outer][inner] of int32 or int64. */
typedef struct {
    int32_t outer, extent, inner;
} ts_arg_max_params;

/* The axis is computed at run time; outputs are all 0 where it does not make as many as were compiled. */
typedef struct {
    int32_t rank, outputs;
    int32_t shape[TS_AXIS_RANK];
} ts_arg_max_at_params;

/* Equal to TFLM's reference_ops::ArgMinMax. */
#define TS_ARG_EXTREME(NAME, SUFFIX, T, BEATS, INDEX)                                                                  \
    static inline void ts_##NAME##_##SUFFIX(const ts_arg_max_params *p, const T *input, INDEX *output)                 \
    {                                                                                                                  \
        for (int32_t o = 0; o < p->outer; o++, input += p->extent * p->inner) {                                        \
            for (int32_t i = 0; i < p->inner; i++) {                                                                   \
                int32_t best = 0;                                                                                      \
                for (int32_t k = 1; k < p->extent; k++) {                                                              \
                    if (input[k * p->inner + i] BEATS input[best * p->inner + i]) {                                    \
                        best = k;                                                                                      \
                    }                                                                                                  \
                }                                                                                                      \
                *output++ = best;                                                                                      \
            }                                                                                                          \
        }                                                                                                              \
    }

TS_ARG_EXTREME(arg_max, s8, int8_t, >, int32_t)
TS_ARG_EXTREME(arg_max, s8_s64, int8_t, >, int64_t)
TS_ARG_EXTREME(arg_max, f32, float, >, int32_t)
TS_ARG_EXTREME(arg_max, f32_s64, float, >, int64_t)
TS_ARG_EXTREME(arg_min, s8, int8_t, <, int32_t)
TS_ARG_EXTREME(arg_min, s8_s64, int8_t, <, int64_t)
TS_ARG_EXTREME(arg_min, f32, float, <, int32_t)
TS_ARG_EXTREME(arg_min, f32_s64, float, <, int64_t)

#undef TS_ARG_EXTREME

#define TS_ARG_EXTREME_AT(NAME, SUFFIX, T)                                                                             \
    static inline void ts_##NAME##_##SUFFIX##_at(const ts_arg_max_at_params *p, const T *input, const int32_t *axis,   \
                                                 int32_t *output)                                                      \
    {                                                                                                                  \
        const ts_axis around = ts_axis_of(*axis, p->rank, p->shape);                                                   \
        const ts_arg_max_params params = {around.outer, around.extent, around.inner};                                  \
        if (around.extent > 0 && around.outer * around.inner == p->outputs) {                                          \
            ts_##NAME##_##SUFFIX(&params, input, output);                                                              \
            return;                                                                                                    \
        }                                                                                                              \
        for (int32_t i = 0; i < p->outputs; i++) {                                                                     \
            output[i] = 0;                                                                                             \
        }                                                                                                              \
    }

TS_ARG_EXTREME_AT(arg_max, s8, int8_t)
TS_ARG_EXTREME_AT(arg_max, f32, float)
TS_ARG_EXTREME_AT(arg_min, s8, int8_t)
TS_ARG_EXTREME_AT(arg_min, f32, float)

#undef TS_ARG_EXTREME_AT

#endif
