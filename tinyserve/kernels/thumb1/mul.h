/* SPDX-License-Identifier: Apache-2.0 */
/* MUL, int8, with broadcasting, for cores without a long multiply. Equals ts_mul_s8 for shifts to the right.
 *
 * A product of two int8 less their zero points is below 2^16 in magnitude, so that its products with the multiplier's
 * halves fit 32 bits without a sign. Both of TFLM's roundings are the same away from zero but for a tie of the first,
 * which goes up: one less is added below where the product is negative. */
#ifndef TS_KERNELS_THUMB1_MUL_H
#define TS_KERNELS_THUMB1_MUL_H

#include "../mul.h"

static inline int32_t ts_thumb1_mul_element(const ts_mul_quantized_params *p, int32_t a, int32_t b)
{
    const int32_t product = (a + p->offset1) * (b + p->offset2), sign = product >> 31;
    const uint32_t magnitude = (uint32_t)((product ^ sign) - sign), multiplier = (uint32_t)p->factor.multiplier;
    const uint32_t lower = (magnitude * (multiplier & 0xffff) + 0x10000u + (uint32_t)sign) >> 16;
    const uint32_t high = (magnitude * (multiplier >> 16) + lower + (1u << 14) - 1u) >> 15;
    const uint32_t right = (uint32_t)-p->factor.shift;
    const int32_t scaled = (int32_t)((high + ((1u << right) >> 1)) >> right);
    return ts_activate(p->activation, ((scaled ^ sign) - sign) + p->output_offset);
}

#define TS_THUMB1_MUL_S8(p, a, b) (int8_t) ts_thumb1_mul_element(p, a, b)

static inline void ts_thumb1_mul_s8(const ts_mul_quantized_params *p, const int8_t *input1, const int8_t *input2,
                                    int8_t *output)
{
    TS_BROADCAST_FOR_EACH(int8_t, int8_t, TS_THUMB1_MUL_S8)
}

#undef TS_THUMB1_MUL_S8

#endif
