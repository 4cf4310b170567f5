/* SPDX-License-Identifier: Apache-2.0 */
/* Requantization in few instructions of what is known to be small. */
#ifndef TS_DSP_SCALED_H
#define TS_DSP_SCALED_H

#include <stdint.h>

#include "../common/fixed_point.h"

/* Equal to ts_requantize where |value| * 2^shift, for a shift to the left, is below 2^30: the high half of twice the
 * value times the multiplier, rounded, is what ts_multiply_high gives. */
static inline __attribute__((always_inline)) int32_t ts_dsp_scaled(int32_t value, ts_factor factor)
{
    const int32_t left = factor.shift > 0 ? factor.shift : 0, right = factor.shift > 0 ? 0 : -factor.shift;
    const int32_t doubled = (int32_t)((uint32_t)value << (left + 1));
    int32_t high;
    __asm__("smmulr %0, %1, %2" : "=r"(high) : "r"(doubled), "r"(factor.multiplier));
    const int32_t half = (int32_t)((1u << right) >> 1), ties = right > 0 ? -1 : 0;
    return (high + half + ((high >> 31) & ties)) >> right;
}

#endif
