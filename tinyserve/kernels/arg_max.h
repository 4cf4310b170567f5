/* ARG_MAX and ARG_MIN along one axis: the index of the first extreme value. */
#ifndef TS_ARG_MAX_H
#define TS_ARG_MAX_H

#include <stdint.h>

/* Input [outer][extent][inner], output [outer][inner] of int32. */
typedef struct {
    int32_t outer, extent, inner;
} ts_arg_max_params;

/* Equal to TFLM's reference_ops::ArgMinMax. */
#define TS_ARG_EXTREME(NAME, SUFFIX, T, BEATS)                                                              \
    static inline void ts_##NAME##_##SUFFIX(const ts_arg_max_params *p, const T *input, int32_t *output)    \
    {                                                                                                       \
        for (int32_t o = 0; o < p->outer; o++, input += p->extent * p->inner) {                             \
            for (int32_t i = 0; i < p->inner; i++) {                                                        \
                int32_t best = 0;                                                                           \
                for (int32_t k = 1; k < p->extent; k++) {                                                   \
                    if (input[k * p->inner + i] BEATS input[best * p->inner + i]) {                         \
                        best = k;                                                                           \
                    }                                                                                       \
                }                                                                                           \
                *output++ = best;                                                                           \
            }                                                                                               \
        }                                                                                                   \
    }

TS_ARG_EXTREME(arg_max, s8, int8_t, >)
TS_ARG_EXTREME(arg_max, f32, float, >)
TS_ARG_EXTREME(arg_min, s8, int8_t, <)
TS_ARG_EXTREME(arg_min, f32, float, <)

#undef TS_ARG_EXTREME

#endif
