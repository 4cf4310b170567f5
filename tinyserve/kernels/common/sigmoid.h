/* SPDX-License-Identifier: Apache-2.0 */
/* Logistic and tanh of 16-bit values by interpolation in one table: sigmoid[i] is logistic(i / 24) in Q0.16. The
 * argument is scaled to 1/24 of 2^-9 for logistic, of 2^-8 for tanh; results are in Q0.15. */
#ifndef TS_COMMON_SIGMOID_H
#define TS_COMMON_SIGMOID_H

#include <stdint.h>

/* Equal to TFLM's reference_integer_ops::Logistic. */
static inline int16_t ts_logistic_of_scaled_s16(const uint16_t *sigmoid, int32_t scaled)
{
    const uint32_t magnitude = (uint32_t)(scaled < 0 ? -scaled : scaled);
    const uint32_t index = magnitude >> 9;
    uint32_t result = 0x7fffu << 10;
    if (index < 255) {
        const uint32_t low = sigmoid[index], high = sigmoid[index + 1];
        result = (low << 9) + (magnitude & 0x1ff) * (high - low);
    }
    result = scaled >= 0 ? result + (1u << 9) : (1u << 25) - result + (1u << 9) - 1u;
    return (int16_t)(result >> 10);
}

/* Equal to TFLM's reference_integer_ops::Tanh. */
static inline int16_t ts_tanh_of_scaled_s16(const uint16_t *sigmoid, int32_t scaled)
{
    const uint32_t magnitude = (uint32_t)(scaled < 0 ? -scaled : scaled);
    const uint32_t index = magnitude >> 8;
    int32_t result = 0xffff << 8;
    if (index < 255) {
        const uint32_t low = sigmoid[index], high = sigmoid[index + 1];
        result = (int32_t)((low << 8) + (magnitude & 0xff) * (high - low));
    }
    result = scaled >= 0 ? result - (1 << 23) + (1 << 7) : -result + (1 << 23) + (1 << 7) - 1;
    return (int16_t)(result >> 8);
}

#endif
