/* SPDX-License-Identifier: Apache-2.0 */
/* Elementary functions of float32 for kernels that have no libm. Relative errors are below 5e-7 unless stated. */
#ifndef TS_COMMON_MATH_H
#define TS_COMMON_MATH_H

#include <stdint.h>

#include "compiler.h"

typedef union {
    float value;
    uint32_t bits;
} ts_float_bits;

/* 2^exponent for -126 <= exponent <= 127. */
static inline float ts_power_of_two(int32_t exponent)
{
    ts_float_bits power;
    power.bits = (uint32_t)(exponent + 127) << 23;
    return power.value;
}

/* The integer below x as an integer, for |x| < 2^31. */
static inline int32_t ts_floor_to_int(float x)
{
    const int32_t truncated = (int32_t)x;
    return (float)truncated > x ? truncated - 1 : truncated;
}

/* Floats of 2^23 and above, infinities and NaN have no fraction. */
static inline int ts_has_fraction(float x)
{
    ts_float_bits bits;
    bits.value = x;
    return ((bits.bits >> 23) & 0xff) < 150;
}

/* x with the sign bit of sign: keeps -0. */
static inline float ts_copy_sign(float x, float sign)
{
    ts_float_bits a, b;
    a.value = x;
    b.value = sign;
    a.bits = (a.bits & 0x7fffffffu) | (b.bits & 0x80000000u);
    return a.value;
}

static inline float ts_floorf(float x)
{
    return ts_has_fraction(x) ? ts_copy_sign((float)ts_floor_to_int(x), x) : x;
}

static inline float ts_ceilf(float x)
{
    return -ts_floorf(-x);
}

/* The exact remainder of a / b with the sign of a, as fmodf: a binary long division. */
static inline float ts_remainderf(float a, float b)
{
    const float divisor = ts_copy_sign(b, 1.0f);
    float rest = ts_copy_sign(a, 1.0f);
    if (!(divisor > 0.0f) || rest - rest != 0.0f) {
        return TS_NAN;
    }
    while (rest >= divisor) {
        float multiple = divisor;
        while (multiple <= rest * 0.5f) {
            multiple += multiple;
        }
        rest -= multiple;
    }
    return ts_copy_sign(rest, a);
}

/* To the nearest integer, ties to even. */
static inline float ts_round_to_even(float x)
{
    if (!ts_has_fraction(x)) {
        return x;
    }
    const int32_t below = ts_floor_to_int(x);
    const float rest = x - (float)below;
    const int up = rest > 0.5f || (rest == 0.5f && (below & 1) != 0);
    return ts_copy_sign((float)(below + up), x);
}

/* To the nearest integer, ties away from zero, saturated to [low, high] of up to 24 bits; NaN gives low. */
static inline int32_t ts_round_to_int(float x, int32_t low, int32_t high)
{
#if defined(__ARM_ARCH) && __ARM_ARCH >= 8 && defined(__ARM_FP) && defined(__thumb__)
    int32_t rounded;
    const float bounded = __builtin_fminf(__builtin_fmaxf(x, (float)low), (float)high);
    __asm__("vcvta.s32.f32 %0, %1" : "=t"(rounded) : "t"(bounded));
    return rounded;
#else
    if (x >= (float)high) {
        return high;
    }
    if (!(x > (float)low)) {
        return low;
    }
    const int32_t truncated = (int32_t)x;
    const float rest = x - (float)truncated;
    return truncated + (rest >= 0.5f ? 1 : 0) - (rest <= -0.5f ? 1 : 0);
#endif
}

/* e^x: x = n ln 2 + r with |r| <= ln 2 / 2, and Taylor's series in r. Results below 2^-126 are 0. */
static inline float ts_expf(float x)
{
    if (x > 88.72283f) {
        return TS_INFINITY;
    }
    if (!(x >= -87.33654f)) {
        return x != x ? x : 0.0f;
    }
    const int32_t n = ts_floor_to_int(x * 1.44269504f + 0.5f);
    const float r = (x - (float)n * 0.693359375f) + (float)n * 2.12194440e-4f;
    float series = 1.0f + r * (1.0f / 7.0f);
    series = 1.0f + r * (1.0f / 6.0f) * series;
    series = 1.0f + r * (1.0f / 5.0f) * series;
    series = 1.0f + r * (1.0f / 4.0f) * series;
    series = 1.0f + r * (1.0f / 3.0f) * series;
    series = 1.0f + r * 0.5f * series;
    /* Two factors, since 2^128 alone is no float. */
    return (1.0f + r * series) * ts_power_of_two(n / 2) * ts_power_of_two(n - n / 2);
}

/* ln x: x = 2^n m with m in [sqrt 1/2, sqrt 2), and ln m = 2 artanh((m - 1) / (m + 1)). */
static inline float ts_logf(float x)
{
    ts_float_bits bits;
    bits.value = x;
    if (x != x || x < 0.0f) {
        return TS_NAN;
    }
    if (x == 0.0f) {
        return -TS_INFINITY;
    }
    if (bits.bits == 0x7f800000u) {
        return x;
    }
    int32_t n = 0;
    if (bits.bits < 0x00800000u) { /* denormal */
        bits.value = x * 8388608.0f;
        n = -23;
    }
    n += (int32_t)(bits.bits >> 23) - 127;
    bits.bits = (bits.bits & 0x007fffffu) | 0x3f800000u;
    float m = bits.value;
    if (m > 1.41421356f) {
        m *= 0.5f;
        n++;
    }
    const float s = (m - 1.0f) / (m + 1.0f);
    const float s2 = s * s;
    float series = 1.0f / 9.0f + s2 * (1.0f / 11.0f);
    series = 1.0f / 7.0f + s2 * series;
    series = 1.0f / 5.0f + s2 * series;
    series = 1.0f / 3.0f + s2 * series;
    const float ln_m = 2.0f * s + 2.0f * s * s2 * series;
    return (float)n * 0.693359375f + ((float)n * -2.12194440e-4f + ln_m);
}

/* 1 / sqrt(x) for x >= 0, infinite at 0: an estimate from the exponent and four Newton steps. */
static inline float ts_rsqrtf(float x)
{
    ts_float_bits bits;
    bits.value = x;
    if (x != x || x < 0.0f) {
        return TS_NAN;
    }
    if (x == 0.0f) {
        return TS_INFINITY;
    }
    if (bits.bits == 0x7f800000u) {
        return 0.0f;
    }
    float scale = 1.0f;
    if (bits.bits < 0x00800000u) { /* denormal */
        bits.value = x * 16777216.0f;
        scale = 4096.0f;
    }
    const float normal = bits.value;
    bits.bits = 0x5f3759dfu - (bits.bits >> 1);
    float y = bits.value;
    for (int step = 0; step < 4; step++) {
        y *= 1.5f - (0.5f * normal * y) * y;
    }
    return y * scale;
}

/* sqrt x, with a last Newton step of its own that corrects x * rsqrt x to the nearest float but for rare last bits. */
static inline float ts_sqrtf(float x)
{
    ts_float_bits bits;
    bits.value = x;
    if (x == 0.0f || bits.bits == 0x7f800000u) {
        return x;
    }
    const float r = ts_rsqrtf(x);
    const float y = x * r;
    return y + 0.5f * r * (float)((double)x - (double)y * (double)y);
}

static inline float ts_tanhf(float x)
{
    if (x > 9.1f) {
        return 1.0f;
    }
    if (x < -9.1f) {
        return -1.0f;
    }
    if (x > -0.2f && x < 0.2f) { /* where 1 - e^-2x would cancel: the odd series */
        const float x2 = x * x;
        if (x2 == 0.0f) {
            return x; /* -0, too */
        }
        return x + x * x2 * (-1.0f / 3.0f + x2 * (2.0f / 15.0f + x2 * (-17.0f / 315.0f + x2 * (62.0f / 2835.0f))));
    }
    const float e = ts_expf(-2.0f * x);
    return (1.0f - e) / (1.0f + e);
}

/* 1 / (1 + e^-x); below -9 TFLM takes e^x. */
static inline float ts_logisticf(float x)
{
    if (x < -9.0f) {
        return ts_expf(x);
    }
    return 1.0f / (1.0f + ts_expf(-x));
}

/* sin(x + quadrant * pi/2). x is reduced by multiples of pi/2 in double precision: |x| < 2^30 keeps its digits. */
static inline float ts_sine_of_quadrant(float x, int32_t quadrant)
{
    if (!(x > -1.0e9f && x < 1.0e9f)) {
        return TS_NAN;
    }
    const double turns = (double)x * 0.63661977236758134308;
    const int32_t n = (int32_t)(turns < 0.0 ? turns - 0.5 : turns + 0.5);
    const float r = (float)((double)x - (double)n * 1.57079632679489661923);
    const float r2 = r * r;
    const uint32_t turn = (uint32_t)n + (uint32_t)quadrant;
    float result;
    if ((turn & 1u) != 0u) {
        result = 1.0f + r2 * (-1.0f / 2.0f + r2 * (1.0f / 24.0f + r2 * (-1.0f / 720.0f + r2 * (1.0f / 40320.0f))));
    } else {
        result = r + r * r2 * (-1.0f / 6.0f + r2 * (1.0f / 120.0f + r2 * (-1.0f / 5040.0f + r2 * (1.0f / 362880.0f))));
    }
    return (turn & 2u) != 0u ? -result : result;
}

static inline float ts_sinf(float x)
{
    return x == 0.0f ? x : ts_sine_of_quadrant(x, 0); /* -0, too */
}

static inline float ts_cosf(float x)
{
    return ts_sine_of_quadrant(x, 1);
}

#endif
