/* SPDX-License-Identifier: Apache-2.0 */
/* Fixed-point arithmetic that the integer kernels share, equal to gemmlowp's as TFLM uses it. */
#ifndef TS_COMMON_FIXED_POINT_H
#define TS_COMMON_FIXED_POINT_H

#include <stdint.h>

/* Two's complement wrap-around, defined in C for unsigned types only. */
static inline int32_t ts_wrap_add(int32_t a, int32_t b)
{
    return (int32_t)((uint32_t)a + (uint32_t)b);
}

static inline int64_t ts_wrap_add_s64(int64_t a, int64_t b)
{
    return (int64_t)((uint64_t)a + (uint64_t)b);
}

static inline int32_t ts_wrap_shift_left(int32_t a, int32_t bits)
{
    return (int32_t)((uint32_t)a << bits);
}

static inline int32_t ts_min(int32_t a, int32_t b)
{
    return a < b ? a : b;
}

static inline int32_t ts_max(int32_t a, int32_t b)
{
    return a > b ? a : b;
}

static inline int32_t ts_clamp(int32_t value, int32_t low, int32_t high)
{
    return ts_min(ts_max(value, low), high);
}

/* (ab + 2^30) / 2^31, rounded down, from products of 16 bits: for cores without a long multiply. Not for both
 * INT32_MIN. */
static inline int32_t ts_multiply_high_by_halves(int32_t a, int32_t b)
{
    const int32_t a_low = a & 0xffff, a_high = a >> 16, b_low = b & 0xffff, b_high = b >> 16;
    const uint32_t low = (uint32_t)a_low * (uint32_t)b_low;
    const int32_t first = a_high * b_low + (int32_t)(low >> 16);
    const int32_t second = a_low * b_high + (first & 0xffff);
    const uint32_t bits = (uint32_t)second << 16 | (low & 0xffff), rounded = bits + (1u << 30);
    const int32_t high = a_high * b_high + (first >> 16) + (second >> 16) + (rounded < bits ? 1 : 0);
    return (int32_t)((uint32_t)high << 1 | rounded >> 31);
}

/* The high half of 2ab, rounded to nearest with ties upwards: SaturatingRoundingDoublingHighMul. */
static inline int32_t ts_multiply_high(int32_t a, int32_t b)
{
    if (a == INT32_MIN && b == INT32_MIN) {
        return INT32_MAX;
    }
#if defined(__ARM_ARCH_6M__)
    return ts_multiply_high_by_halves(a, b);
#else
    return (int32_t)(((int64_t)a * b + ((int64_t)1 << 30)) >> 31);
#endif
}

/* value / 2^bits for 0 <= bits <= 31, rounded to nearest with ties away from zero: RoundingDivideByPOT. */
static inline int32_t ts_divide_by_power_of_two(int32_t value, int32_t bits)
{
    const int32_t mask = (int32_t)(((uint32_t)1 << bits) - 1);
    const int32_t remainder = value & mask;
    const int32_t threshold = (mask >> 1) + (value < 0 ? 1 : 0);
    return (value >> bits) + (remainder > threshold ? 1 : 0);
}

/* multiplier * 2^(shift - 31) */
typedef struct {
    int32_t multiplier, shift;
} ts_factor;

/* value * multiplier * 2^(shift - 31), rounded twice: MultiplyByQuantizedMultiplier for 32-bit accumulators. */
static inline int32_t ts_requantize(int32_t value, int32_t multiplier, int32_t shift)
{
    const int32_t left = shift > 0 ? shift : 0;
    const int32_t right = shift > 0 ? 0 : -shift;
    return ts_divide_by_power_of_two(ts_multiply_high(ts_wrap_shift_left(value, left), multiplier), right);
}

static inline int32_t ts_requantize_by(int32_t value, ts_factor factor)
{
    return ts_requantize(value, factor.multiplier, factor.shift);
}

/* The same for the 64-bit accumulators of 16-bit activations: a 16-bit multiplier and one rounding. */
static inline int32_t ts_requantize_s64(int64_t value, int32_t multiplier, int32_t shift)
{
    const int32_t reduced = multiplier < 0x7fff0000 ? (multiplier + (1 << 15)) >> 16 : 0x7fff;
    const int32_t total_shift = 15 - shift;
    const int64_t product = (int64_t)((uint64_t)value * (uint64_t)reduced);
    return (int32_t)(ts_wrap_add_s64(product, (int64_t)1 << (total_shift - 1)) >> total_shift);
}

static inline int32_t ts_requantize_by_s64(int64_t value, ts_factor factor)
{
    return ts_requantize_s64(value, factor.multiplier, factor.shift);
}

#endif
