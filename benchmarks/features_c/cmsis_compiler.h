/* SPDX-License-Identifier: Apache-2.0 */
/* Of CMSIS-Core, which is another package: what CMSIS-DSP uses of it, by the compiler's own intrinsics. */
#pragma once
#include <arm_acle.h>
#include <stdint.h>
#define __ASM __asm
#define __INLINE inline
#define __STATIC_INLINE static inline
#define __STATIC_FORCEINLINE __attribute__((always_inline)) static inline
#define __WEAK __attribute__((weak))
#define __ALIGNED(x) __attribute__((aligned(x)))
#define __RESTRICT __restrict
#define __PACKED __attribute__((packed))
#define __CLZ(a) ((uint8_t)((a) != 0u ? __builtin_clz(a) : 32))
#define __ROR(a, n) ((a) >> (n) | (a) << (32 - (n)))
#define __SSAT(value, bits) __ssat(value, bits)
#define __USAT(value, bits) __usat(value, bits)
#define __SMLAD(a, b, c) ((uint32_t)__smlad((int32_t)(a), (int32_t)(b), (int32_t)(c)))
#define __SMLADX(a, b, c) ((uint32_t)__smladx((int32_t)(a), (int32_t)(b), (int32_t)(c)))
#define __SMUAD(a, b) ((uint32_t)__smuad((int32_t)(a), (int32_t)(b)))
#define __SMUADX(a, b) ((uint32_t)__smuadx((int32_t)(a), (int32_t)(b)))
#define __SMUSD(a, b) ((uint32_t)__smusd((int32_t)(a), (int32_t)(b)))
#define __SMUSDX(a, b) ((uint32_t)__smusdx((int32_t)(a), (int32_t)(b)))
#define __SMLALD(a, b, c) ((uint64_t)__smlald((int32_t)(a), (int32_t)(b), (int64_t)(c)))
#define __SMLSDX(a, b, c) ((uint32_t)__smlsdx((int32_t)(a), (int32_t)(b), (int32_t)(c)))
#define __QADD(a, b) __qadd((int32_t)(a), (int32_t)(b))
#define __QSUB(a, b) __qsub((int32_t)(a), (int32_t)(b))
#define __QADD16(a, b) ((uint32_t)__qadd16((int32_t)(a), (int32_t)(b)))
#define __QSUB16(a, b) ((uint32_t)__qsub16((int32_t)(a), (int32_t)(b)))
#define __SHADD16(a, b) ((uint32_t)__shadd16((int32_t)(a), (int32_t)(b)))
#define __SHSUB16(a, b) ((uint32_t)__shsub16((int32_t)(a), (int32_t)(b)))
#define __QASX(a, b) ((uint32_t)__qasx((int32_t)(a), (int32_t)(b)))
#define __QSAX(a, b) ((uint32_t)__qsax((int32_t)(a), (int32_t)(b)))
#define __SHASX(a, b) ((uint32_t)__shasx((int32_t)(a), (int32_t)(b)))
#define __SHSAX(a, b) ((uint32_t)__shsax((int32_t)(a), (int32_t)(b)))
#define __SXTB16(a) ((uint32_t)__sxtb16((int32_t)(a)))
#define __QADD8(a, b) ((uint32_t)__qadd8((int32_t)(a), (int32_t)(b)))
#define __QSUB8(a, b) ((uint32_t)__qsub8((int32_t)(a), (int32_t)(b)))
#define __PKHBT(a, b, n) ((((uint32_t)(a)) & 0xffffu) | (((uint32_t)(b) << (n)) & 0xffff0000u))
#define __PKHTB(a, b, n) ((((uint32_t)(a)) & 0xffff0000u) | (((uint32_t)((int32_t)(b) >> (n))) & 0xffffu))
static inline int32_t __SMMLA(int32_t a, int32_t b, int32_t c)
{
    return c + (int32_t)(((int64_t)a * b) >> 32);
}
