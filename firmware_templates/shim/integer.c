/* SPDX-License-Identifier: Apache-2.0 */
/* Integer arithmetic that small cores lack: 32-bit division (Armv6-M), 64-bit multiplication, shifts and division.
 * A division by zero gives all ones, and the dividend as remainder, as RISC-V defines it. */
#include <stdint.h>

uint64_t shim_udivmod64(uint64_t dividend, uint64_t divisor, uint64_t *remainder);
int64_t shim_divmod64(int64_t dividend, int64_t divisor, int64_t *remainder);

static int leading_zeros64(uint64_t value)
{
    int zeros = 0;
    for (int step = 32; step > 0; step /= 2) {
        if (value >> (64 - step) == 0u) {
            zeros += step;
            value <<= step;
        }
    }
    return zeros; /* 63 for 0, too */
}

/* Shift and subtract, from the first bit that can be set. */
__attribute__((used)) uint64_t shim_udivmod64(uint64_t dividend, uint64_t divisor, uint64_t *remainder)
{
    if (divisor == 0u || dividend < divisor) {
        *remainder = dividend;
        return divisor == 0u ? UINT64_MAX : 0u;
    }
    uint64_t quotient = 0;
    int shift = leading_zeros64(divisor) - leading_zeros64(dividend);
    for (divisor <<= shift; shift >= 0; shift--, divisor >>= 1) {
        quotient <<= 1;
        if (dividend >= divisor) {
            dividend -= divisor;
            quotient |= 1u;
        }
    }
    *remainder = dividend;
    return quotient;
}

__attribute__((used)) int64_t shim_divmod64(int64_t dividend, int64_t divisor, int64_t *remainder)
{
    const uint64_t a = dividend < 0 ? 0u - (uint64_t)dividend : (uint64_t)dividend;
    const uint64_t b = divisor < 0 ? 0u - (uint64_t)divisor : (uint64_t)divisor;
    uint64_t rest;
    uint64_t quotient = shim_udivmod64(a, b, &rest);
    if ((dividend < 0) != (divisor < 0) && divisor != 0) {
        quotient = 0u - quotient;
    }
    *remainder = (int64_t)(dividend < 0 ? 0u - rest : rest);
    return (int64_t)quotient;
}

#if defined(__arm__) && __ARM_ARCH_ISA_THUMB == 1
/* Armv6-M: no divide instruction, no 32 x 32 -> 64 multiplication, no 64-bit shifts. */
uint64_t __aeabi_lmul(uint64_t a, uint64_t b);
uint64_t __aeabi_llsl(uint64_t value, int shift);
uint64_t __aeabi_llsr(uint64_t value, int shift);
int64_t __aeabi_lasr(int64_t value, int shift);
uint64_t __aeabi_uidivmod(uint32_t dividend, uint32_t divisor);
uint64_t __aeabi_idivmod(int32_t dividend, int32_t divisor);
uint32_t __aeabi_uidiv(uint32_t dividend, uint32_t divisor);
int32_t __aeabi_idiv(int32_t dividend, int32_t divisor);
int __clzsi2(uint32_t value);
int __clzdi2(uint64_t value);

/* Halves: 16 x 16 bits is all that MULS keeps without loss. */
static uint64_t wide_product(uint32_t a, uint32_t b)
{
    const uint32_t a0 = a & 0xffffu, a1 = a >> 16, b0 = b & 0xffffu, b1 = b >> 16;
    const uint32_t low = a0 * b0;
    const uint32_t middle = a1 * b0 + (low >> 16); /* at most 2^32 - 2^17 + 2^16 */
    const uint32_t cross = a0 * b1 + (middle & 0xffffu);
    const uint32_t high = a1 * b1 + (middle >> 16) + (cross >> 16);
    union {
        uint32_t half[2];
        uint64_t whole;
    } product = {{(cross << 16) | (low & 0xffffu), high}};
    return product.whole;
}

/* Little-endian halves of a 64-bit number, so that no 64-bit shift is needed to take it apart. */
typedef union {
    uint64_t whole;
    uint32_t half[2];
} halves;

uint64_t __aeabi_lmul(uint64_t a, uint64_t b)
{
    const halves x = {a}, y = {b};
    halves product = {wide_product(x.half[0], y.half[0])};
    product.half[1] += x.half[0] * y.half[1] + x.half[1] * y.half[0];
    return product.whole;
}

uint64_t __aeabi_llsl(uint64_t value, int shift)
{
    const halves x = {value};
    halves y;
    if (shift >= 32) {
        y.half[0] = 0;
        y.half[1] = shift < 64 ? x.half[0] << (shift - 32) : 0u;
    } else {
        y.half[0] = x.half[0] << shift;
        y.half[1] = x.half[1] << shift | (shift > 0 ? x.half[0] >> (32 - shift) : 0u);
    }
    return y.whole;
}

uint64_t __aeabi_llsr(uint64_t value, int shift)
{
    const halves x = {value};
    halves y;
    if (shift >= 32) {
        y.half[0] = shift < 64 ? x.half[1] >> (shift - 32) : 0u;
        y.half[1] = 0;
    } else {
        y.half[0] = x.half[0] >> shift | (shift > 0 ? x.half[1] << (32 - shift) : 0u);
        y.half[1] = x.half[1] >> shift;
    }
    return y.whole;
}

int64_t __aeabi_lasr(int64_t value, int shift)
{
    const halves x = {(uint64_t)value};
    const int32_t top = (int32_t)x.half[1];
    halves y;
    if (shift >= 32) {
        y.half[0] = (uint32_t)(top >> (shift < 64 ? shift - 32 : 31));
        y.half[1] = (uint32_t)(top >> 31);
    } else {
        y.half[0] = x.half[0] >> shift | (shift > 0 ? x.half[1] << (32 - shift) : 0u);
        y.half[1] = (uint32_t)(top >> shift);
    }
    return (int64_t)y.whole;
}

static uint32_t udivmod32(uint32_t dividend, uint32_t divisor, uint32_t *remainder)
{
    if (divisor == 0u || dividend < divisor) {
        *remainder = dividend;
        return divisor == 0u ? UINT32_MAX : 0u;
    }
    uint32_t quotient = 0;
    int shift = __clzsi2(divisor) - __clzsi2(dividend);
    for (divisor <<= shift; shift >= 0; shift--, divisor >>= 1) {
        quotient <<= 1;
        if (dividend >= divisor) {
            dividend -= divisor;
            quotient |= 1u;
        }
    }
    *remainder = dividend;
    return quotient;
}

/* Quotient in r0, remainder in r1: the halves of a 64-bit result. */
uint64_t __aeabi_uidivmod(uint32_t dividend, uint32_t divisor)
{
    halves result;
    result.half[0] = udivmod32(dividend, divisor, &result.half[1]);
    return result.whole;
}

uint64_t __aeabi_idivmod(int32_t dividend, int32_t divisor)
{
    const uint32_t a = dividend < 0 ? 0u - (uint32_t)dividend : (uint32_t)dividend;
    const uint32_t b = divisor < 0 ? 0u - (uint32_t)divisor : (uint32_t)divisor;
    halves result;
    result.half[0] = udivmod32(a, b, &result.half[1]);
    if ((dividend < 0) != (divisor < 0) && divisor != 0) {
        result.half[0] = 0u - result.half[0];
    }
    if (dividend < 0) {
        result.half[1] = 0u - result.half[1];
    }
    return result.whole;
}

uint32_t __aeabi_uidiv(uint32_t dividend, uint32_t divisor)
{
    uint32_t remainder;
    return udivmod32(dividend, divisor, &remainder);
}

int32_t __aeabi_idiv(int32_t dividend, int32_t divisor)
{
    const halves result = {__aeabi_idivmod(dividend, divisor)};
    return (int32_t)result.half[0];
}

int __clzsi2(uint32_t value)
{
    int zeros = 32;
    for (int step = 16; step > 0; step /= 2) {
        if (value >> step != 0u) {
            zeros -= step;
            value >>= step;
        }
    }
    return zeros - (int)value;
}

int __clzdi2(uint64_t value)
{
    const halves x = {value};
    return x.half[1] != 0u ? __clzsi2(x.half[1]) : 32 + __clzsi2(x.half[0]);
}
#endif

#ifdef __arm__
/* Quotient in r0:r1, remainder in r2:r3, which C can't return: the helper leaves the remainder on the stack, above
 * the word that holds its address (the fifth argument). */
#define RETURN_FOUR_WORDS(helper)                                                                                      \
    __asm volatile("push {r4, lr}\n"                                                                                   \
                   "sub sp, #16\n"                                                                                     \
                   "add r4, sp, #8\n"                                                                                  \
                   "str r4, [sp]\n"                                                                                    \
                   "bl " helper "\n"                                                                                   \
                   "ldr r2, [sp, #8]\n"                                                                                \
                   "ldr r3, [sp, #12]\n"                                                                               \
                   "add sp, #16\n"                                                                                     \
                   "pop {r4, pc}\n")

void __aeabi_uldivmod(void);
void __aeabi_ldivmod(void);

__attribute__((naked)) void __aeabi_uldivmod(void)
{
    RETURN_FOUR_WORDS("shim_udivmod64");
}

__attribute__((naked)) void __aeabi_ldivmod(void)
{
    RETURN_FOUR_WORDS("shim_divmod64");
}
#else
uint64_t __udivdi3(uint64_t a, uint64_t b);
uint64_t __umoddi3(uint64_t a, uint64_t b);
int64_t __divdi3(int64_t a, int64_t b);
int64_t __moddi3(int64_t a, int64_t b);

uint64_t __udivdi3(uint64_t a, uint64_t b)
{
    uint64_t remainder;
    return shim_udivmod64(a, b, &remainder);
}

uint64_t __umoddi3(uint64_t a, uint64_t b)
{
    uint64_t remainder;
    (void)shim_udivmod64(a, b, &remainder);
    return remainder;
}

int64_t __divdi3(int64_t a, int64_t b)
{
    int64_t remainder;
    return shim_divmod64(a, b, &remainder);
}

int64_t __moddi3(int64_t a, int64_t b)
{
    int64_t remainder;
    (void)shim_divmod64(a, b, &remainder);
    return remainder;
}
#endif
