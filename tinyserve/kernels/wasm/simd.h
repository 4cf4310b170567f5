/* SPDX-License-Identifier: Apache-2.0 */
/* What the kernels for WebAssembly's vectors of 128 bits share: four channels side by side in int32 or float32.
 *
 * Written for speed by hand and built for size: loops over pixels and blocks are unrolled here, nothing else is. */
#ifndef TS_WASM_SIMD_H
#define TS_WASM_SIMD_H

#if !defined(__wasm_simd128__)
#error "the model was compiled for WebAssembly with vectors: build it with -msimd128"
#endif

#include <stdint.h>
#include <wasm_simd128.h>

#include "../common/params.h"

#define TS_WASM_LANES 4
#define TS_WASM_INLINE static inline __attribute__((always_inline))
#define TS_WASM_KERNEL static __attribute__((noinline, unused))
#define TS_WASM_UNROLL _Pragma("clang loop unroll(full)")

/* How sums become int8. Per channel a bias, a multiplier of [2^30, 2^31) and a shift to the right of 0 to 30, as
 * -30..0; the lowering holds |sum| below 2^30, so that nothing here leaves 32 bits. */
typedef struct {
    const int32_t *bias;
    const int32_t *multipliers;
    const int8_t *shifts;
    int32_t zero_point;
    ts_activation activation;
} ts_wasm_requant;

/* Four channels' factors: half of what is shifted out, 2^(30 - right), and all ones where anything is shifted out. */
typedef struct {
    v128_t multiplier, half, power, shifted;
} ts_wasm_factors;

TS_WASM_INLINE ts_wasm_factors ts_wasm_factors_at(const ts_wasm_requant *r, int32_t channel)
{
    /* Powers of two by way of the exponents of floats: there is no shift by a lane's own number. */
    const v128_t bytes = wasm_v128_load32_zero(r->shifts + channel);
    const v128_t shift = wasm_i32x4_extend_low_i16x8(wasm_i16x8_extend_low_i8x16(bytes));
    const v128_t half = wasm_i32x4_shl(wasm_i32x4_sub(wasm_i32x4_splat(126), shift), 23);
    const v128_t power = wasm_i32x4_shl(wasm_i32x4_add(wasm_i32x4_splat(157), shift), 23);
    return (ts_wasm_factors){wasm_v128_load(r->multipliers + channel), wasm_i32x4_trunc_sat_f32x4(half),
                             wasm_i32x4_trunc_sat_f32x4(power), wasm_i32x4_lt(shift, wasm_i32x4_splat(0))};
}

/* The same value, as if it were a new one each time. A factor's extension to 64 bits would be moved out of the loop,
 * which leaves a multiplication of 64 by 64 bits in it: ten instructions on x86-64 instead of one. */
TS_WASM_INLINE v128_t ts_wasm_anew(v128_t value)
{
    __asm__ volatile("" : "+r"(value));
    return value;
}

/* The low words of two vectors of two 64-bit values. */
TS_WASM_INLINE v128_t ts_wasm_low_words(v128_t first, v128_t second)
{
    return wasm_i32x4_shuffle(first, second, 0, 2, 4, 6);
}

/* ts_requantize of four lanes: rounded to the multiplier's product, then to the shift. */
TS_WASM_INLINE v128_t ts_wasm_requantize(v128_t sum, const ts_wasm_factors *f)
{
    const v128_t nudge = wasm_i64x2_splat((int64_t)1 << 30);
    const v128_t multiplier = ts_wasm_anew(f->multiplier), power = ts_wasm_anew(f->power);
    const v128_t high =
        ts_wasm_low_words(wasm_u64x2_shr(wasm_i64x2_add(wasm_i64x2_extmul_low_i32x4(sum, multiplier), nudge), 31),
                          wasm_u64x2_shr(wasm_i64x2_add(wasm_i64x2_extmul_high_i32x4(sum, multiplier), nudge), 31));
    const v128_t ties = wasm_v128_and(wasm_i32x4_shr(high, 31), f->shifted);
    const v128_t raised = wasm_i32x4_add(wasm_i32x4_add(high, f->half), ties);
    return ts_wasm_low_words(wasm_u64x2_shr(wasm_i64x2_extmul_low_i32x4(raised, power), 30),
                             wasm_u64x2_shr(wasm_i64x2_extmul_high_i32x4(raised, power), 30));
}

/* Eight lanes as int8 in the low half, moved by the zero point and clamped. */
TS_WASM_INLINE v128_t ts_wasm_bytes(v128_t first, v128_t second, const ts_wasm_requant *r)
{
    const v128_t zero = wasm_i32x4_splat(r->zero_point);
    const v128_t words = wasm_i16x8_narrow_i32x4(wasm_i32x4_add(first, zero), wasm_i32x4_add(second, zero));
    const v128_t raised = wasm_i16x8_max(words, wasm_i16x8_splat((int16_t)r->activation.min));
    const v128_t bounded = wasm_i16x8_min(raised, wasm_i16x8_splat((int16_t)r->activation.max));
    return wasm_i8x16_narrow_i16x8(bounded, bounded);
}

/* The first `count` <= 8 bytes. */
TS_WASM_INLINE void ts_wasm_store_bytes(v128_t bytes, int8_t *to, int32_t count)
{
    if (count >= 8) {
        wasm_v128_store64_lane(to, bytes, 0);
        return;
    }
    uint64_t left = (uint64_t)wasm_i64x2_extract_lane(bytes, 0);
    if (count >= TS_WASM_LANES) {
        wasm_v128_store32_lane(to, bytes, 0);
        to += TS_WASM_LANES;
        count -= TS_WASM_LANES;
        left >>= 32;
    }
    for (int32_t i = 0; i < count; i++, left >>= 8) {
        to[i] = (int8_t)(uint8_t)left;
    }
}

/* The first `count` <= 4 of sum + bias, clamped; what is not a number stays so. */
TS_WASM_INLINE void ts_wasm_store_floats(v128_t sum, v128_t bias, float low, float high, float *to, int32_t count)
{
    const v128_t biased = wasm_f32x4_add(sum, bias);
    const v128_t raised = wasm_f32x4_pmax(biased, wasm_f32x4_splat(low));
    const v128_t bounded = wasm_f32x4_pmin(raised, wasm_f32x4_splat(high));
    if (count >= TS_WASM_LANES) {
        wasm_v128_store(to, bounded);
        return;
    }
    float all[TS_WASM_LANES];
    wasm_v128_store(all, bounded);
    for (int32_t i = 0; i < count; i++) {
        to[i] = all[i];
    }
}

#endif
