/* SPDX-License-Identifier: Apache-2.0 */
/* Leading zeros, and integer square roots that are made from them. */
#ifndef TS_COMMON_BITS_H
#define TS_COMMON_BITS_H

#include <stdint.h>

/* 32 for 0. Without an instruction for it, by halves. */
static inline int32_t ts_leading_zeros(uint32_t value)
{
#if defined(__ARM_FEATURE_CLZ) || defined(__x86_64__) || defined(__aarch64__) || defined(__wasm__)
    return value ? __builtin_clz(value) : 32;
#else
    int32_t zeros = value ? 0 : 1;
    for (int32_t half = 16; half; half >>= 1) {
        if (!(value >> (32 - half))) {
            value <<= half;
            zeros += half;
        }
    }
    return zeros;
#endif
}

static inline int32_t ts_leading_zeros_u64(uint64_t value)
{
    const uint32_t high = (uint32_t)(value >> 32);
    return high ? ts_leading_zeros(high) : 32 + ts_leading_zeros((uint32_t)value);
}

#if defined(__ARM_ARCH_6M__) /* without a division: bit by bit */
/* floor(sqrt(value)); *rest is value less its square. */
static inline uint32_t ts_root_u64(uint64_t value, uint64_t *rest)
{
    uint64_t root = 0, bit = (uint64_t)1 << 62;
    while (bit > value) {
        bit >>= 2;
    }
    for (; bit; bit >>= 2) {
        if (value >= root + bit) {
            value -= root + bit;
            root = (root >> 1) + bit;
        } else {
            root >>= 1;
        }
    }
    *rest = value;
    return (uint32_t)root;
}
#else
/* floor(sqrt(value)) for 2^30 <= value: of the high half by a line and one step of Newton's, which is at most one too
 * large, then eight more bits by a division, which is at most one too large, too. */
static inline uint32_t ts_root_of_normal(uint32_t value)
{
    const uint32_t half = value >> 16, line = ((half * 171u) >> 16) + 90u;
    uint32_t high = (line + half / line) >> 1;
    high -= high * high > half;
    const uint32_t next = ((half - high * high) << 8 | ((value >> 8) & 0xff)) / (2 * high);
    const uint32_t root = (high << 8) + (next < 0xff ? next : 0xff);
    return root - (root * root > value);
}

/* floor(sqrt(value)); *rest is value less its square. */
static inline uint32_t ts_root_u64(uint64_t value, uint64_t *rest)
{
    if (!value) {
        *rest = 0;
        return 0;
    }
    const int32_t shift = ts_leading_zeros_u64(value) >> 1;
    const uint64_t normal = value << (2 * shift);
    const uint32_t top = (uint32_t)(normal >> 32), high = ts_root_of_normal(top);
    const uint32_t next = ((top - high * high) << 15 | (uint32_t)(normal << 32 >> 49)) / high;
    uint32_t root = ((high << 16) + (next < 0xffff ? next : 0xffff)) >> shift;
    root -= (uint64_t)root * root > value;
    *rest = value - (uint64_t)root * root;
    return root;
}
#endif

#endif
