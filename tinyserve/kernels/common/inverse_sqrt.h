/* SPDX-License-Identifier: Apache-2.0 */
/* 1 / sqrt(x) in fixed point, as TFLM's GetInvSqrtQuantizedMultiplierExp. */
#ifndef TS_COMMON_INVERSE_SQRT_H
#define TS_COMMON_INVERSE_SQRT_H

#include <stdint.h>

#include "fixed_point.h"
#include "reciprocal.h"

/* x >= 0; 0 counts as 1. Five Newton steps in Q3.28 on x scaled to [2^27, 2^29). */
static inline ts_factor ts_inverse_sqrt(int32_t x)
{
    ts_factor result = {INT32_MAX, 0};
    if (x <= 1) {
        return result;
    }
    int32_t exponent = 11;
    while (x >= (1 << 29)) {
        x /= 4;
        exponent++;
    }
    while (x < (1 << 27)) {
        x *= 4;
        exponent--;
    }
    const int32_t input = x >> 1;
    const int32_t half_input = ts_divide_by_power_of_two(input, 1);
    const int32_t half_three = (1 << 28) + (1 << 27);
    int32_t estimate = 1 << 28;
    for (int step = 0; step < 5; step++) {
        const int32_t square = ts_multiply_high(estimate, estimate);
        const int32_t cube = ts_saturating_shift_left(ts_multiply_high(square, estimate), 6);
        const int32_t grown = ts_multiply_high(half_three, estimate), shrunk = ts_multiply_high(half_input, cube);
        estimate = ts_saturating_shift_left(ts_wrap_add(grown, -shrunk), 3);
    }
    const int32_t half_sqrt_2 = 1518500250;
    result.multiplier = ts_multiply_high(estimate, half_sqrt_2);
    if (exponent < 0) {
        result.multiplier = ts_wrap_shift_left(result.multiplier, -exponent);
        exponent = 0;
    }
    result.shift = -exponent;
    return result;
}

#endif
