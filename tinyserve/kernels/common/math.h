/* Elementary functions of float32 for kernels that have no libm. Errors are given in units in the last place. */
#ifndef TS_COMMON_MATH_H
#define TS_COMMON_MATH_H

#include <stdint.h>

/* 2^exponent for -126 <= exponent <= 127. */
static inline float ts_power_of_two(int32_t exponent)
{
    const union {
        uint32_t bits;
        float value;
    } power = {(uint32_t)(exponent + 127) << 23};
    return power.value;
}

/* e^x, below 2 ulp: x = n ln 2 + r with |r| <= ln 2 / 2, and a polynomial in r. Denormal results are 0. */
static inline float ts_expf(float x)
{
    if (x > 88.72283f) {
        return __builtin_inff();
    }
    if (x < -87.33654f) {
        return 0.0f;
    }
    const int32_t n = (int32_t)(x * 1.44269504f + (x < 0.0f ? -0.5f : 0.5f));
    const float r = (x - (float)n * 0.693359375f) + (float)n * 2.12194440e-4f;
    float p = 1.9875691500e-4f;
    p = p * r + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    const float e = p * r * r + r + 1.0f;
    /* Two factors, since 2^128 alone is no float. */
    return e * ts_power_of_two(n / 2) * ts_power_of_two(n - n / 2);
}

#endif
