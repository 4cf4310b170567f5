/* SPDX-License-Identifier: Apache-2.0 */
/* From accumulator to int8 output in 32-bit registers, for cores with a multiply that gives the high half (RV32M).
 *
 * Equals ts_requantize, the output's zero point and the clamp, for right shifts of 1 to 22 and accumulators below 2^29:
 * tinyserve/variants/rv32m/packing.py checks both. */
#ifndef TS_KERNELS_RV32M_REQUANTIZE_H
#define TS_KERNELS_RV32M_REQUANTIZE_H

#include <stdint.h>

#include "../common/params.h"

#define TS_RV32M_INLINE static inline __attribute__((always_inline))

/* The accumulator starts with `bias`, the input's zero point folded in. rounding: half a unit and the output's zero
 * point, both shifted left by `shift`. */
typedef struct {
    int32_t bias, multiplier, shift, rounding;
} ts_rv32m_channel;

/* Two roundings as TFLM has them: the high half of the product to nearest, ties upwards; then the shift to nearest,
 * ties away from zero. */
TS_RV32M_INLINE int8_t ts_rv32m_requantize_doubled(int32_t doubled, const ts_rv32m_channel *channel,
                                                   ts_activation activation)
{
    const int64_t product = (int64_t)doubled * channel->multiplier;
    int32_t value = (int32_t)(product >> 32) + (int32_t)((uint32_t)product >> 31);
    value = (value + channel->rounding + (value >> 31)) >> channel->shift;
    return (int8_t)ts_activate(activation, value);
}

TS_RV32M_INLINE int8_t ts_rv32m_requantize(int32_t acc, const ts_rv32m_channel *channel, ts_activation activation)
{
    return ts_rv32m_requantize_doubled(acc * 2, channel, activation);
}

#endif
