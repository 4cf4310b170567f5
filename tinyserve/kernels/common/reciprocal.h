/* SPDX-License-Identifier: Apache-2.0 */
/* 1 / (1 + x) in fixed point, as gemmlowp's one_over_one_plus_x_for_x_in_0_1. */
#ifndef TS_COMMON_RECIPROCAL_H
#define TS_COMMON_RECIPROCAL_H

#include <stdint.h>

#include "fixed_point.h"

/* value * 2^bits, saturated. */
static inline int32_t ts_saturating_shift_left(int32_t value, int32_t bits)
{
    const int32_t limit = INT32_MAX >> bits;
    if (value > limit) {
        return INT32_MAX;
    }
    return value < -limit - 1 ? INT32_MIN : ts_wrap_shift_left(value, bits);
}

/* x in [0, 1] and the result as Q0.31: three Newton steps from 48/17 - 32/17 d, in Q2.29. */
static inline int32_t ts_one_over_one_plus_x(int32_t x)
{
    const int32_t half_denominator = (int32_t)(((int64_t)x + INT32_MAX + 1) >> 1);
    int32_t estimate = 1515870810 + ts_multiply_high(half_denominator, -1010580540);
    for (int step = 0; step < 3; step++) {
        const int32_t error = (1 << 29) - ts_multiply_high(half_denominator, estimate);
        estimate = ts_wrap_add(estimate, ts_saturating_shift_left(ts_multiply_high(estimate, error), 2));
    }
    return ts_saturating_shift_left(estimate, 1);
}

#endif
