/* SPDX-License-Identifier: Apache-2.0 */
/* IEEE 754 single precision for cores without an FPU: round to nearest even, subnormals, one quiet NaN. Floats travel
 * as their bits, as the soft-float calling conventions of Arm and RISC-V have them in the same registers. */
#include <stdint.h>

#define SIGN 0x80000000u
#define INFINITE 0x7f800000u
#define QUIET_NAN 0x7fc00000u
#define IMPLICIT 0x00800000u
#define TOP 0x40000000u /* leading bit of a significand with 7 bits for rounding */

/* sign * significand * 2^(exponent - 30); the significand's leading bit is TOP, but for zero. */
typedef struct {
    uint32_t sign;
    int32_t exponent;
    uint32_t significand;
} number;

static int is_nan(uint32_t a)
{
    return (a & ~SIGN) > INFINITE;
}

static int32_t leading_zeros(uint32_t value)
{
#if defined(__ARM_FEATURE_CLZ)
    return __builtin_clz(value);
#else
    int32_t zeros = 0;
    for (int32_t step = 16; step > 0; step /= 2) {
        if (value >> (32 - step) == 0u) {
            zeros += step;
            value <<= step;
        }
    }
    return zeros;
#endif
}

/* Moves the leading bit of a significand below 2^31 to TOP. */
static number normalize(number n)
{
    if (n.significand != 0u) {
        const int32_t shift = leading_zeros(n.significand) - 1;
        n.significand <<= shift;
        n.exponent -= shift;
    }
    return n;
}

/* Shifts right; what falls off leaves a mark in the last bit, so that rounding sees it. */
static uint32_t shift_sticky(uint32_t value, int32_t shift)
{
    if (shift <= 0) {
        return value;
    }
    if (shift > 31) {
        return value != 0u ? 1u : 0u;
    }
    return value >> shift | ((value & ((1u << shift) - 1u)) != 0u ? 1u : 0u);
}

/* biased is the exponent field, at least 1; the leading bit adds one to it, a carry from rounding one more. */
static uint32_t round_to_float(uint32_t sign, uint32_t biased, uint32_t significand)
{
    uint32_t rounded = (significand + 64u) >> 7;
    if ((significand & 127u) == 64u) {
        rounded &= ~1u;
    }
    return sign | (((biased - 1u) << 23) + rounded);
}

static uint32_t pack(number n)
{
    const int32_t biased = n.exponent + 127;
    if (n.significand == 0u) {
        return n.sign;
    }
    if (biased >= 255) {
        return n.sign | INFINITE;
    }
    if (biased <= 0) {
        return round_to_float(n.sign, 1u, shift_sticky(n.significand, 1 - biased));
    }
    return round_to_float(n.sign, (uint32_t)biased, n.significand);
}

static uint32_t from_unsigned(uint32_t sign, uint64_t value)
{
    int32_t exponent = 30;
    uint32_t lost = 0;
    while (value >= (UINT64_C(1) << 31)) {
        lost |= (uint32_t)value & 1u;
        value >>= 1;
        exponent++;
    }
    const number n = {sign, exponent, (uint32_t)value};
    number scaled = normalize(n);
    scaled.significand |= lost;
    return pack(scaled);
}

/* Truncates; saturates where the result does not fit, NaN gives 0. */
static uint64_t to_unsigned(uint32_t a, uint64_t limit)
{
    if (is_nan(a)) {
        return 0;
    }
    const int32_t exponent = (int32_t)(a >> 23 & 255u) - 127;
    if (exponent < 0) {
        return 0;
    }
    if (exponent > 63) {
        return limit;
    }
    const uint64_t significand = (a & (IMPLICIT - 1u)) | IMPLICIT;
    const uint64_t value = exponent >= 23 ? significand << (exponent - 23) : significand >> (23 - exponent);
    return value > limit ? limit : value;
}

static int64_t to_signed(uint32_t a, uint64_t limit)
{
    if ((a & SIGN) != 0u) {
        return (int64_t)(0u - to_unsigned(a, limit + 1u));
    }
    return (int64_t)to_unsigned(a, limit);
}

static uint64_t magnitude(int64_t value)
{
    return value < 0 ? 0u - (uint64_t)value : (uint64_t)value;
}

#ifdef __arm__
#define FUNCTION(arm, gnu) arm
#else
#define FUNCTION(arm, gnu) gnu
#endif

/* The names that compilers call. Arm: IHI 0043, section 5.1.2; others: libgcc's. */
uint32_t FUNCTION(__aeabi_l2f, __floatdisf)(int64_t value);
uint32_t FUNCTION(__aeabi_l2f, __floatdisf)(int64_t value)
{
    return from_unsigned(value < 0 ? SIGN : 0u, magnitude(value));
}

uint32_t FUNCTION(__aeabi_ul2f, __floatundisf)(uint64_t value);
uint32_t FUNCTION(__aeabi_ul2f, __floatundisf)(uint64_t value)
{
    return from_unsigned(0, value);
}

int64_t FUNCTION(__aeabi_f2lz, __fixsfdi)(uint32_t a);
int64_t FUNCTION(__aeabi_f2lz, __fixsfdi)(uint32_t a)
{
    return to_signed(a, INT64_MAX);
}

uint64_t FUNCTION(__aeabi_f2ulz, __fixunssfdi)(uint32_t a);
uint64_t FUNCTION(__aeabi_f2ulz, __fixunssfdi)(uint32_t a)
{
    return (a & SIGN) != 0u ? 0u : to_unsigned(a, UINT64_MAX);
}

#if !defined(__ARM_FP) && !defined(__riscv_flen)
static int is_infinite(uint32_t a)
{
    return (a & ~SIGN) == INFINITE;
}

/* A finite float. */
static number unpack(uint32_t bits)
{
    const uint32_t biased = bits >> 23 & 255u;
    const uint32_t fraction = bits & (IMPLICIT - 1u);
    const number n = {bits & SIGN, biased != 0u ? (int32_t)biased - 127 : -126,
                      (biased != 0u ? fraction | IMPLICIT : fraction) << 7};
    return normalize(n);
}

/* Any operands: infinite, NaN, zero, subnormal. */
static uint32_t add_any(uint32_t a, uint32_t b)
{
    if (is_nan(a) || is_nan(b) || (is_infinite(a) && is_infinite(b) && a != b)) {
        return QUIET_NAN;
    }
    if (is_infinite(a) || is_infinite(b)) {
        return is_infinite(a) ? a : b;
    }
    if ((a & ~SIGN) < (b & ~SIGN)) {
        const uint32_t swap = a;
        a = b;
        b = swap;
    }
    number x = unpack(a); /* the larger one */
    const number y = unpack(b);
    if (y.significand == 0u) {
        return x.significand == 0u ? a & b : a; /* -0 only if both are */
    }
    const uint32_t aligned = shift_sticky(y.significand, x.exponent - y.exponent);
    if (x.sign == y.sign) {
        x.significand += aligned;
        if (x.significand >= TOP << 1) {
            x.significand = shift_sticky(x.significand, 1);
            x.exponent++;
        }
        return pack(x);
    }
    x.significand -= aligned;
    if (x.significand == 0u) {
        return 0;
    }
    return pack(normalize(x));
}

/* The exponent field of a number that is neither zero, subnormal, infinite nor NaN; 0 for those. */
static uint32_t normal_exponent(uint32_t a)
{
    const uint32_t biased = a >> 23 & 255u;
    return biased == 255u ? 0u : biased;
}

/* The way that nearly all additions take. */
static uint32_t add(uint32_t a, uint32_t b)
{
    if ((a & ~SIGN) < (b & ~SIGN)) {
        const uint32_t swap = a;
        a = b;
        b = swap;
    }
    uint32_t biased = normal_exponent(a);
    const uint32_t smaller = normal_exponent(b);
    if (biased == 0u || smaller == 0u) {
        return add_any(a, b);
    }
    uint32_t x = ((a & (IMPLICIT - 1u)) | IMPLICIT) << 7;
    const uint32_t y = shift_sticky(((b & (IMPLICIT - 1u)) | IMPLICIT) << 7, (int32_t)(biased - smaller));
    if (((a ^ b) & SIGN) == 0u) {
        x += y;
        if (x >= TOP << 1) {
            x = x >> 1 | (x & 1u);
            biased++;
        }
    } else {
        x -= y;
        if (x == 0u) {
            return 0u;
        }
        const uint32_t shift = (uint32_t)leading_zeros(x) - 1u;
        if (shift >= biased) {
            return add_any(a, b);
        }
        x <<= shift;
        biased -= shift;
    }
    return biased >= 255u ? (a & SIGN) | INFINITE : round_to_float(a & SIGN, biased, x);
}

static uint32_t multiply_any(uint32_t a, uint32_t b)
{
    const uint32_t sign = (a ^ b) & SIGN;
    const int a_zero = (a & ~SIGN) == 0u, b_zero = (b & ~SIGN) == 0u;
    if (is_nan(a) || is_nan(b) || (is_infinite(a) && b_zero) || (is_infinite(b) && a_zero)) {
        return QUIET_NAN;
    }
    if (is_infinite(a) || is_infinite(b)) {
        return sign | INFINITE;
    }
    if (a_zero || b_zero) {
        return sign;
    }
    const number x = unpack(a), y = unpack(b);
    const uint64_t product = (uint64_t)x.significand * (y.significand << 1); /* leading bit 61 or 62 */
    number result = {sign, x.exponent + y.exponent + 1,
                     (uint32_t)(product >> 32) | ((uint32_t)product != 0u ? 1u : 0u)};
    if (result.significand < TOP) {
        result.significand <<= 1; /* the mark for rounding moves up a bit, which rounding does not mind */
        result.exponent--;
    }
    return pack(result);
}

/* The way that nearly all multiplications take. */
static uint32_t multiply(uint32_t a, uint32_t b)
{
    const uint32_t exponent_a = normal_exponent(a), exponent_b = normal_exponent(b);
    if (exponent_a == 0u || exponent_b == 0u) {
        return multiply_any(a, b);
    }
    const uint64_t product =
        (uint64_t)(((a & (IMPLICIT - 1u)) | IMPLICIT) << 7) * (((b & (IMPLICIT - 1u)) | IMPLICIT) << 8);
    uint32_t significand = (uint32_t)(product >> 32) | ((uint32_t)product != 0u ? 1u : 0u);
    int32_t biased = (int32_t)(exponent_a + exponent_b) - 126;
    if (significand < TOP) {
        significand <<= 1; /* the mark for rounding moves up a bit, which rounding does not mind */
        biased--;
    }
    if (biased < 1 || biased > 254) {
        return multiply_any(a, b);
    }
    return round_to_float((a ^ b) & SIGN, (uint32_t)biased, significand);
}

static uint32_t divide(uint32_t a, uint32_t b)
{
    const uint32_t sign = (a ^ b) & SIGN;
    const int a_zero = (a & ~SIGN) == 0u, b_zero = (b & ~SIGN) == 0u;
    if (is_nan(a) || is_nan(b) || (is_infinite(a) && is_infinite(b)) || (a_zero && b_zero)) {
        return QUIET_NAN;
    }
    if (is_infinite(a) || b_zero) {
        return sign | INFINITE;
    }
    if (is_infinite(b) || a_zero) {
        return sign;
    }
    const number x = unpack(a), y = unpack(b);
    number result = {sign, x.exponent - y.exponent, 0};
    uint32_t rest = x.significand;
    if (rest < y.significand) {
        rest <<= 1;
        result.exponent--;
    }
    for (int bit = 0; bit < 31; bit++) {
        result.significand <<= 1;
        if (rest >= y.significand) {
            rest -= y.significand;
            result.significand |= 1u;
        }
        rest <<= 1;
    }
    result.significand |= rest != 0u ? 1u : 0u;
    return pack(result);
}

static uint32_t square_root(uint32_t a)
{
    if (is_nan(a) || ((a & SIGN) != 0u && a != SIGN)) {
        return QUIET_NAN;
    }
    if (is_infinite(a) || (a & ~SIGN) == 0u) {
        return a;
    }
    number x = unpack(a);
    if ((x.exponent & 1) != 0) {
        x.significand <<= 1;
        x.exponent--;
    }
    /* Digit by digit: the remainder takes in two bits of the radicand for each bit of the root. */
    uint64_t rest = 0;
    uint64_t radicand = (uint64_t)x.significand << 32;
    uint32_t root = 0;
    for (int bit = 0; bit < 32; bit++) {
        rest = rest << 2 | radicand >> 62;
        radicand <<= 2;
        const uint64_t trial = (uint64_t)root << 2 | 1u;
        root <<= 1;
        if (rest >= trial) {
            rest -= trial;
            root |= 1u;
        }
    }
    const number result = {0, x.exponent / 2, shift_sticky(root, 1) | (rest != 0u ? 1u : 0u)};
    return pack(result);
}

/* -1, 0, 1; 2 where one is NaN. */
static int compare(uint32_t a, uint32_t b)
{
    if (is_nan(a) || is_nan(b)) {
        return 2;
    }
    if (((a | b) & ~SIGN) == 0u || a == b) {
        return 0;
    }
    if (((a ^ b) & SIGN) != 0u) {
        return (a & SIGN) != 0u ? -1 : 1;
    }
    return (a < b) != ((a & SIGN) != 0u) ? -1 : 1;
}

uint32_t FUNCTION(__aeabi_fadd, __addsf3)(uint32_t a, uint32_t b);
uint32_t FUNCTION(__aeabi_fadd, __addsf3)(uint32_t a, uint32_t b)
{
    return add(a, b);
}

uint32_t FUNCTION(__aeabi_fsub, __subsf3)(uint32_t a, uint32_t b);
uint32_t FUNCTION(__aeabi_fsub, __subsf3)(uint32_t a, uint32_t b)
{
    return add(a, is_nan(b) ? b : b ^ SIGN);
}

uint32_t FUNCTION(__aeabi_fmul, __mulsf3)(uint32_t a, uint32_t b);
uint32_t FUNCTION(__aeabi_fmul, __mulsf3)(uint32_t a, uint32_t b)
{
    return multiply(a, b);
}

uint32_t FUNCTION(__aeabi_fdiv, __divsf3)(uint32_t a, uint32_t b);
uint32_t FUNCTION(__aeabi_fdiv, __divsf3)(uint32_t a, uint32_t b)
{
    return divide(a, b);
}

uint32_t FUNCTION(__aeabi_i2f, __floatsisf)(int32_t value);
uint32_t FUNCTION(__aeabi_i2f, __floatsisf)(int32_t value)
{
    return from_unsigned(value < 0 ? SIGN : 0u, magnitude(value));
}

uint32_t FUNCTION(__aeabi_ui2f, __floatunsisf)(uint32_t value);
uint32_t FUNCTION(__aeabi_ui2f, __floatunsisf)(uint32_t value)
{
    return from_unsigned(0, value);
}

int32_t FUNCTION(__aeabi_f2iz, __fixsfsi)(uint32_t a);
int32_t FUNCTION(__aeabi_f2iz, __fixsfsi)(uint32_t a)
{
    return (int32_t)to_signed(a, INT32_MAX);
}

uint32_t FUNCTION(__aeabi_f2uiz, __fixunssfsi)(uint32_t a);
uint32_t FUNCTION(__aeabi_f2uiz, __fixunssfsi)(uint32_t a)
{
    return (a & SIGN) != 0u ? 0u : (uint32_t)to_unsigned(a, UINT32_MAX);
}

#ifdef __arm__
uint32_t __aeabi_frsub(uint32_t a, uint32_t b);
uint32_t __aeabi_frsub(uint32_t a, uint32_t b)
{
    return __aeabi_fsub(b, a);
}

int __aeabi_fcmpeq(uint32_t a, uint32_t b);
int __aeabi_fcmpeq(uint32_t a, uint32_t b)
{
    return compare(a, b) == 0;
}

int __aeabi_fcmplt(uint32_t a, uint32_t b);
int __aeabi_fcmplt(uint32_t a, uint32_t b)
{
    return compare(a, b) == -1;
}

int __aeabi_fcmple(uint32_t a, uint32_t b);
int __aeabi_fcmple(uint32_t a, uint32_t b)
{
    return compare(a, b) <= 0;
}

int __aeabi_fcmpge(uint32_t a, uint32_t b);
int __aeabi_fcmpge(uint32_t a, uint32_t b)
{
    const int order = compare(a, b);
    return order == 0 || order == 1;
}

int __aeabi_fcmpgt(uint32_t a, uint32_t b);
int __aeabi_fcmpgt(uint32_t a, uint32_t b)
{
    return compare(a, b) == 1;
}

int __aeabi_fcmpun(uint32_t a, uint32_t b);
int __aeabi_fcmpun(uint32_t a, uint32_t b)
{
    return compare(a, b) == 2;
}
#else
/* libgcc's: the result is compared with zero as the operands would be with each other; NaN makes it false. */
int __eqsf2(uint32_t a, uint32_t b);
int __nesf2(uint32_t a, uint32_t b);
int __ltsf2(uint32_t a, uint32_t b);
int __lesf2(uint32_t a, uint32_t b);
int __gesf2(uint32_t a, uint32_t b);
int __gtsf2(uint32_t a, uint32_t b);
int __unordsf2(uint32_t a, uint32_t b);

int __eqsf2(uint32_t a, uint32_t b)
{
    return compare(a, b);
}

int __nesf2(uint32_t a, uint32_t b)
{
    return compare(a, b);
}

int __ltsf2(uint32_t a, uint32_t b)
{
    return compare(a, b);
}

int __lesf2(uint32_t a, uint32_t b)
{
    return compare(a, b);
}

int __gesf2(uint32_t a, uint32_t b)
{
    const int order = compare(a, b);
    return order == 2 ? -1 : order;
}

int __gtsf2(uint32_t a, uint32_t b)
{
    return __gesf2(a, b);
}

int __unordsf2(uint32_t a, uint32_t b)
{
    return compare(a, b) == 2;
}
#endif

/* What the square root compiles to where there is no instruction for it. */
uint32_t FUNCTION(sqrtf, shim_sqrtf)(uint32_t a);
uint32_t FUNCTION(sqrtf, shim_sqrtf)(uint32_t a)
{
    return square_root(a);
}
#endif
