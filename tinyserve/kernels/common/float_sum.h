/* SPDX-License-Identifier: Apache-2.0 */
/* Sums of products of float32. On cores without floating point one function does a product and a sum, from integers, in
 * about half of what the compiler's library takes for the two. */
#ifndef TS_COMMON_FLOAT_SUM_H
#define TS_COMMON_FLOAT_SUM_H

#include <stdint.h>

#include "math.h"

#if (defined(__arm__) && !defined(__ARM_FP)) || (defined(__riscv) && !defined(__riscv_flen))
#define TS_FLOATS_FROM_INTEGERS 1
#else
#define TS_FLOATS_FROM_INTEGERS 0
#endif

#define TS_FLOAT_LEAD (1u << 23) /* the bit that a normal number does not store */
#define TS_SUM_LEAD (1u << 29)   /* its place while sums are formed: six bits to round by */

/* The upper 32 bits of a product of two numbers of 24 bits, which has 47 or 48; the last is set for all below. */
static inline uint32_t ts_float_product(uint32_t a, uint32_t b)
{
    const uint64_t product = (uint64_t)a * b;
    return (uint32_t)(product >> 16) | ((product & 0xffff) != 0 ? 1u : 0u);
}

/* The same for cores without a long multiply. */
static inline uint32_t ts_float_product_by_parts(uint32_t a, uint32_t b)
{
    const uint32_t a_low = a & 0xfff, a_high = a >> 12, b_low = b & 0xfff, b_high = b >> 12;
    const uint32_t low = a_low * b_low, middle = a_high * b_low + a_low * b_high + (low >> 12);
    const uint32_t kept = ((a_high * b_high) << 8) + (middle >> 4);
    return (middle & 0xf) != 0 || (low & 0xfff) != 0 ? kept | 1 : kept;
}

#if defined(__ARM_ARCH_6M__)
#define TS_FLOAT_PRODUCT ts_float_product_by_parts
#else
#define TS_FLOAT_PRODUCT ts_float_product
#endif

/* sum + a * b, both rounded to nearest even: operands and results that are normal numbers or zero by integers, others
 * by the library. */
static __attribute__((noinline, unused)) float ts_add_product_from_integers(float sum, float a, float b)
{
    ts_float_bits sum_bits, a_bits, b_bits;
    sum_bits.value = sum;
    a_bits.value = a;
    b_bits.value = b;
    const uint32_t s = sum_bits.bits, s_exponent = s << 1 >> 24;
    const uint32_t a_exponent = a_bits.bits << 1 >> 24, b_exponent = b_bits.bits << 1 >> 24;
    const uint32_t sign = (a_bits.bits ^ b_bits.bits) & 0x80000000u;
    if (a_exponent - 1 >= 254 || b_exponent - 1 >= 254) {
        const int zero = (a_bits.bits << 1 == 0 && b_exponent != 255) || (b_bits.bits << 1 == 0 && a_exponent != 255);
        return zero && s << 1 != 0 ? sum : sum + a * b;
    }
    uint32_t exponent = a_exponent + b_exponent - 127; /* of a product in [1, 2) */
    if (exponent - 1 >= 252 || s_exponent == 255 || (s_exponent == 0 && s << 1 != 0)) {
        return sum + a * b;
    }
    uint32_t product = TS_FLOAT_PRODUCT((a_bits.bits & (TS_FLOAT_LEAD - 1)) | TS_FLOAT_LEAD,
                                        (b_bits.bits & (TS_FLOAT_LEAD - 1)) | TS_FLOAT_LEAD);
    if ((int32_t)product < 0) {
        exponent++;
    } else {
        product <<= 1;
    }
    uint32_t p = product >> 8;
    p += ((product & 0xff) + 0x7f + (p & 1)) >> 8;
    if (s_exponent == 0) {
        a_bits.bits = sign | ((exponent << 23) + p - TS_FLOAT_LEAD); /* p may be 2^24 */
        return a_bits.value;
    }
    exponent += p >> 24;
    p = (p >> (p >> 24)) << 6;
    uint32_t larger = ((s & (TS_FLOAT_LEAD - 1)) | TS_FLOAT_LEAD) << 6, smaller = p, result_sign = s & 0x80000000u;
    int32_t distance = (int32_t)(s_exponent - exponent);
    if (distance < 0 || (distance == 0 && larger < smaller)) {
        smaller = larger;
        larger = p;
        result_sign = sign;
        distance = -distance;
    } else {
        exponent = s_exponent;
    }
    if (distance > 0) {
        const uint32_t shifted = distance < 31 ? smaller >> distance : 0;
        smaller = distance < 31 && shifted << distance == smaller ? shifted : shifted | 1;
    }
    if (((s ^ sign) & 0x80000000u) == 0) {
        larger += smaller;
        if (larger >= 2 * TS_SUM_LEAD) {
            larger = (larger >> 1) | (larger & 1);
            exponent++;
        }
    } else {
        larger -= smaller;
        if (larger == 0) {
            return 0.0f;
        }
        for (; larger < TS_SUM_LEAD; exponent--) {
            larger <<= 1;
        }
    }
    if (exponent - 1 >= 253) { /* or below 0: too small, or rounded up to infinity */
        return sum + a * b;
    }
    const uint32_t kept = larger >> 6;
    a_bits.bits = result_sign | ((exponent << 23) - TS_FLOAT_LEAD + kept + (((larger & 63) + 31 + (kept & 1)) >> 6));
    return a_bits.value;
}

/* sum + a * b, both rounded. */
static inline float ts_add_product(float sum, float a, float b)
{
#if TS_FLOATS_FROM_INTEGERS
    return ts_add_product_from_integers(sum, a, b);
#else
    return sum + a * b;
#endif
}

#endif
