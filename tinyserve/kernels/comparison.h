/* SPDX-License-Identifier: Apache-2.0 */
/* EQUAL, NOT_EQUAL, GREATER, GREATER_EQUAL, LESS and LESS_EQUAL with broadcasting. Results are bytes of 0 and 1. */
#ifndef TS_COMPARISON_H
#define TS_COMPARISON_H

#include <stdint.h>

#include "common/broadcast.h"
#include "common/fixed_point.h"

typedef struct {
    ts_broadcast broadcast;
} ts_comparison_params;

#define TS_EQUAL_OF(p, a, b) (uint8_t)((a) == (b))
#define TS_NOT_EQUAL_OF(p, a, b) (uint8_t)((a) != (b))
#define TS_GREATER_OF(p, a, b) (uint8_t)((a) > (b))
#define TS_GREATER_EQUAL_OF(p, a, b) (uint8_t)((a) >= (b))
#define TS_LESS_OF(p, a, b) (uint8_t)((a) < (b))
#define TS_LESS_EQUAL_OF(p, a, b) (uint8_t)((a) <= (b))

/* Plain values, as TFLM's reference_ops::...NoScaling. */
#define TS_COMPARE(NAME, OF, SUFFIX, T)                                                                                \
    static inline void ts_##NAME##_##SUFFIX(const ts_comparison_params *p, const T *input1, const T *input2,           \
                                            uint8_t *output)                                                           \
    {                                                                                                                  \
        TS_BROADCAST_FOR_EACH(T, T, OF)                                                                                \
    }

#define TS_COMPARE_ALL(SUFFIX, T)                                                                                      \
    TS_COMPARE(equal, TS_EQUAL_OF, SUFFIX, T)                                                                          \
    TS_COMPARE(not_equal, TS_NOT_EQUAL_OF, SUFFIX, T)                                                                  \
    TS_COMPARE(greater, TS_GREATER_OF, SUFFIX, T)                                                                      \
    TS_COMPARE(greater_equal, TS_GREATER_EQUAL_OF, SUFFIX, T)                                                          \
    TS_COMPARE(less, TS_LESS_OF, SUFFIX, T)                                                                            \
    TS_COMPARE(less_equal, TS_LESS_EQUAL_OF, SUFFIX, T)

TS_COMPARE_ALL(b8, uint8_t)
TS_COMPARE_ALL(s16, int16_t)
TS_COMPARE_ALL(s32, int32_t)
TS_COMPARE_ALL(s64, int64_t)
TS_COMPARE_ALL(f32, float)

/* Quantized values are scaled to real ones times 2^8 first. */
typedef struct {
    ts_broadcast broadcast;
    int32_t offset1;
    ts_factor factor1;
    int32_t offset2;
    ts_factor factor2;
} ts_comparison_s8_params;

static inline int32_t ts_comparison_scaled(int32_t value, ts_factor factor)
{
    return ts_requantize_by(ts_wrap_shift_left(value, 8), factor);
}

#define TS_SCALED1(p, a) ts_comparison_scaled((a) + (p)->offset1, (p)->factor1)
#define TS_SCALED2(p, b) ts_comparison_scaled((b) + (p)->offset2, (p)->factor2)
#define TS_EQUAL_SCALED(p, a, b) (uint8_t)(TS_SCALED1(p, a) == TS_SCALED2(p, b))
#define TS_NOT_EQUAL_SCALED(p, a, b) (uint8_t)(TS_SCALED1(p, a) != TS_SCALED2(p, b))
#define TS_GREATER_SCALED(p, a, b) (uint8_t)(TS_SCALED1(p, a) > TS_SCALED2(p, b))
#define TS_GREATER_EQUAL_SCALED(p, a, b) (uint8_t)(TS_SCALED1(p, a) >= TS_SCALED2(p, b))
#define TS_LESS_SCALED(p, a, b) (uint8_t)(TS_SCALED1(p, a) < TS_SCALED2(p, b))
#define TS_LESS_EQUAL_SCALED(p, a, b) (uint8_t)(TS_SCALED1(p, a) <= TS_SCALED2(p, b))

/* int8, as TFLM's reference_ops::...WithScaling. */
#define TS_COMPARE_S8(NAME, OF)                                                                                        \
    static inline void ts_##NAME##_s8(const ts_comparison_s8_params *p, const int8_t *input1, const int8_t *input2,    \
                                      uint8_t *output)                                                                 \
    {                                                                                                                  \
        TS_BROADCAST_FOR_EACH(int8_t, int8_t, OF)                                                                      \
    }

TS_COMPARE_S8(equal, TS_EQUAL_SCALED)
TS_COMPARE_S8(not_equal, TS_NOT_EQUAL_SCALED)
TS_COMPARE_S8(greater, TS_GREATER_SCALED)
TS_COMPARE_S8(greater_equal, TS_GREATER_EQUAL_SCALED)
TS_COMPARE_S8(less, TS_LESS_SCALED)
TS_COMPARE_S8(less_equal, TS_LESS_EQUAL_SCALED)

/* LOGICAL_AND and LOGICAL_OR of bytes of 0 and 1. */
#define TS_AND_OF(p, a, b) (uint8_t)((a) != 0 && (b) != 0)
#define TS_OR_OF(p, a, b) (uint8_t)((a) != 0 || (b) != 0)

TS_COMPARE(logical_and, TS_AND_OF, b8, uint8_t)
TS_COMPARE(logical_or, TS_OR_OF, b8, uint8_t)

#undef TS_COMPARE
#undef TS_COMPARE_ALL
#undef TS_COMPARE_S8
#undef TS_EQUAL_OF
#undef TS_NOT_EQUAL_OF
#undef TS_GREATER_OF
#undef TS_GREATER_EQUAL_OF
#undef TS_LESS_OF
#undef TS_LESS_EQUAL_OF
#undef TS_SCALED1
#undef TS_SCALED2
#undef TS_EQUAL_SCALED
#undef TS_NOT_EQUAL_SCALED
#undef TS_GREATER_SCALED
#undef TS_GREATER_EQUAL_SCALED
#undef TS_LESS_SCALED
#undef TS_LESS_EQUAL_SCALED
#undef TS_AND_OF
#undef TS_OR_OF

#endif
