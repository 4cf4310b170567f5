/* SPDX-License-Identifier: Apache-2.0 */
/* x^y of float32, by double precision: the result is the nearest float but for rare neighbours. Results below 2^-149
 * are 0. Conventions are those of C's pow. */
#ifndef TS_COMMON_POWER_H
#define TS_COMMON_POWER_H

#include <stdint.h>

#include "math.h"

typedef union {
    double value;
    uint64_t bits;
} ts_double_bits;

/* ln x for 0 < x <= infinity: x = 2^n m with m in [sqrt 1/2, sqrt 2), and ln m = 2 artanh((m - 1) / (m + 1)). */
static inline double ts_power_log(float x)
{
    ts_double_bits m;
    m.value = (double)x;
    int32_t n = (int32_t)(m.bits >> 52) - 1023;
    m.bits = (m.bits & 0xfffffffffffffu) | 0x3ff0000000000000u;
    if (n > 127) {
        return (double)TS_INFINITY;
    }
    if (m.value > 1.4142135623730951) {
        m.value *= 0.5;
        n++;
    }
    const double s = (m.value - 1.0) / (m.value + 1.0), z = s * s;
    double series = 0.0;
    for (int32_t k = 17; k >= 1; k -= 2) {
        series = series * z + 1.0 / (double)k;
    }
    return 2.0 * s * series + (double)n * 0.6931471805599453;
}

/* e^t as a float: t = n ln 2 + r with |r| <= ln 2 / 2, and Taylor's series in r. */
static inline float ts_power_exp(double t)
{
    if (t > 88.8) {
        return TS_INFINITY;
    }
    if (t < -104.0) {
        return 0.0f;
    }
    const int32_t n = (int32_t)(t * 1.4426950408889634 + (t < 0.0 ? -0.5 : 0.5));
    const double r = t - (double)n * 0.6931471805599453;
    double series = 1.0;
    for (int32_t k = 12; k >= 1; k--) {
        series = 1.0 + series * r / (double)k;
    }
    ts_double_bits scale;
    scale.bits = (uint64_t)(n + 1023) << 52;
    return (float)(series * scale.value);
}

static inline float ts_powf(float x, float y)
{
    if (y == 0.0f || x == 1.0f) {
        return 1.0f;
    }
    if (x != x || y != y) {
        return TS_NAN;
    }
    const float size = ts_copy_sign(x, 1.0f);
    const int whole = !ts_has_fraction(y) || (float)(int32_t)y == y;
    const int odd = whole && ts_copy_sign(y, 1.0f) < 16777216.0f && ((int32_t)y & 1) != 0;
    if (x < 0.0f && !whole && size < TS_INFINITY) {
        return TS_NAN;
    }
    float power;
    if (size == 0.0f) {
        power = y > 0.0f ? 0.0f : TS_INFINITY;
    } else {
        power = size == 1.0f ? 1.0f : ts_power_exp((double)y * ts_power_log(size));
    }
    return odd ? ts_copy_sign(power, x) : power;
}

/* By squaring; wraps around. Negative exponents leave what the quotient of integers is. */
static inline int32_t ts_pow_integer(int32_t x, int32_t y)
{
    if (y < 0) {
        return x == 1 || x == -1 ? ((y & 1) != 0 ? x : 1) : 0;
    }
    uint32_t power = 1;
    for (uint32_t base = (uint32_t)x; y > 0; y >>= 1, base *= base) {
        power *= (y & 1) != 0 ? base : 1;
    }
    return (int32_t)power;
}

#endif
