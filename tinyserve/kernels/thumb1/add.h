/* SPDX-License-Identifier: Apache-2.0 */
/* ADD and SUB, int8, same shapes, for Armv6-M: each input's scaled value is looked up in a table of 256.
 *
 * Equals ts_add_s8 (and so TFLM's reference_integer_ops::Add) byte for byte; the output's shift is to the right or
 * none.
 */
#ifndef TS_KERNELS_THUMB1_ADD_H
#define TS_KERNELS_THUMB1_ADD_H

#include "../common/params.h"
#include "requantize.h"

typedef struct {
    const int32_t *scaled1; /* by input + 128: what TFLM computes of the element; negated for SUB's second input */
    const int32_t *scaled2;
    int32_t elements;
    int32_t multiplier_high, multiplier_low; /* 15 and 16 bits */
    int32_t rounding;                        /* half of 2^shift, plus the zero point shifted left */
    int32_t ties;                            /* all ones where shift > 0: negative ties round away from zero */
    int32_t shift;
    ts_activation activation;
} ts_thumb1_add_params;

/* floor((value * multiplier + 2^30) / 2^31) for any value, from products of 16 by 15 or 16 bits. */
TS_THUMB1_INLINE int32_t ts_thumb1_multiply_high_any(int32_t value, int32_t multiplier_high, int32_t multiplier_low)
{
    const uint32_t value_low = (uint32_t)value & 0xFFFF;
    const int32_t value_high = value >> 16;
    const uint32_t low = value_low * (uint32_t)multiplier_low;
    /* The sum of the middle products and the carry from below, in two parts, so that neither overflows. */
    const uint32_t middle1 = value_low * (uint32_t)multiplier_high + (low >> 16);
    const int32_t middle2 = value_high * multiplier_low;
    const uint32_t middle = (middle1 & 0xFFFF) + ((uint32_t)middle2 & 0xFFFF);
    const int32_t high =
        value_high * multiplier_high + (int32_t)(middle1 >> 16) + (middle2 >> 16) + (int32_t)(middle >> 16);
    /* The 64-bit product is high : middle (16 bits) : low (16 bits); add 2^30 and take it from bit 31 on. */
    const uint32_t bottom = (middle << 16) | (low & 0xFFFF);
    const uint32_t rounded = bottom + (1u << 30);
    return (int32_t)(((uint32_t)high + (rounded < bottom ? 1u : 0u)) << 1 | rounded >> 31);
}

TS_THUMB1_INLINE void ts_thumb1_add_s8(const ts_thumb1_add_params *p, const int8_t *input1, const int8_t *input2,
                                       int8_t *output)
{
    for (int32_t left = p->elements; left > 0; --left) {
        const int32_t sum = p->scaled1[*input1++ + 128] + p->scaled2[*input2++ + 128];
        int32_t value = ts_thumb1_multiply_high_any(sum, p->multiplier_high, p->multiplier_low);
        value = (value + p->rounding + ((value >> 31) & p->ties)) >> p->shift;
        *output++ = (int8_t)ts_activate(p->activation, value);
    }
}

#endif
