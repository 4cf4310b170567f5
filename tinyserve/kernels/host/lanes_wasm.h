/* SPDX-License-Identifier: Apache-2.0 */
/* host/lanes.h for WebAssembly with vectors: four lanes in each of four, dot products of pairs of 16 bits. */
#ifndef TS_HOST_LANES_WASM_H
#define TS_HOST_LANES_WASM_H

#include <wasm_simd128.h>

#include "common/fixed_point.h"

/* Accumulators of how many blocks of 16 channels fit the registers, for several pixels and for one. */
#define TS_HOST_BLOCKS 1
#define TS_HOST_BLOCKS_OF_ONE 2

typedef struct {
    v128_t four[4];
} ts_lanes;
typedef ts_lanes ts_quads;

#define TS_HOST_EACH(i) _Pragma("clang loop unroll(full)") for (int32_t i = 0; i < 4; i++)

TS_HOST_INLINE ts_lanes ts_host_load(const void *from)
{
    const uint8_t *bytes = from;
    return (ts_lanes){
        {wasm_v128_load(bytes), wasm_v128_load(bytes + 16), wasm_v128_load(bytes + 32), wasm_v128_load(bytes + 48)}};
}

TS_HOST_INLINE ts_lanes ts_lanes_load(const int32_t *from)
{
    return ts_host_load(from);
}

TS_HOST_INLINE ts_lanes ts_lanes_of(int32_t value)
{
    const v128_t all = wasm_i32x4_splat(value);
    return (ts_lanes){{all, all, all, all}};
}

TS_HOST_INLINE ts_lanes ts_lanes_add(ts_lanes a, ts_lanes b)
{
    TS_HOST_EACH(i)
    {
        a.four[i] = wasm_i32x4_add(a.four[i], b.four[i]);
    }
    return a;
}

/* Of each group of four bytes the first two, then of each the last two: a dot product of pairs is a lane's own. */
TS_HOST_INLINE v128_t ts_host_pairs(v128_t quads)
{
    return wasm_i8x16_shuffle(quads, quads, 0, 1, 4, 5, 8, 9, 12, 13, 2, 3, 6, 7, 10, 11, 14, 15);
}

TS_HOST_INLINE ts_lanes ts_lanes_dot(ts_lanes sum, ts_quads x, ts_quads w)
{
    TS_HOST_EACH(i)
    {
        const v128_t inputs = ts_host_pairs(x.four[i]), weights = ts_host_pairs(w.four[i]);
        const v128_t first =
            wasm_i32x4_dot_i16x8(wasm_u16x8_extend_low_u8x16(inputs), wasm_i16x8_extend_low_i8x16(weights));
        const v128_t second =
            wasm_i32x4_dot_i16x8(wasm_u16x8_extend_high_u8x16(inputs), wasm_i16x8_extend_high_i8x16(weights));
        sum.four[i] = wasm_i32x4_add(sum.four[i], wasm_i32x4_add(first, second));
    }
    return sum;
}

/* Two lanes of ts_requantize in 64 bits: the product's high half, then half of what is shifted out and one less for
 * negative values, unless nothing is. */
TS_HOST_INLINE v128_t ts_host_requantize_two(v128_t product, v128_t half, v128_t power)
{
    const v128_t high = wasm_i64x2_shr(wasm_i64x2_add(product, wasm_i64x2_splat((int64_t)1 << 30)), 31);
    const v128_t shifted = wasm_i64x2_ne(half, wasm_i64x2_splat(0));
    const v128_t ties = wasm_v128_and(wasm_i64x2_shr(high, 63), shifted);
    const v128_t raised = wasm_i64x2_add(wasm_i64x2_add(high, half), ties);
    return wasm_i64x2_shr(wasm_i64x2_mul(raised, power), 31);
}

TS_HOST_INLINE ts_lanes ts_lanes_requantize(ts_lanes v, ts_lanes multiplier, ts_lanes shift)
{
    TS_HOST_EACH(i)
    {
        int32_t left[4];
        uint32_t half[4], power[4];
        int32_t shifts[4];
        wasm_v128_store(shifts, shift.four[i]);
        for (int32_t lane = 0; lane < 4; lane++) {
            const int32_t right = shifts[lane] > 0 ? 0 : -shifts[lane];
            left[lane] = (int32_t)(1u << (shifts[lane] > 0 ? shifts[lane] : 0));
            half[lane] = (1u << right) >> 1;
            power[lane] = 1u << (31 - right);
        }
        const v128_t value = wasm_i32x4_mul(v.four[i], wasm_v128_load(left));
        const v128_t low = ts_host_requantize_two(wasm_i64x2_extmul_low_i32x4(value, multiplier.four[i]),
                                                  wasm_u64x2_extend_low_u32x4(wasm_v128_load(half)),
                                                  wasm_u64x2_extend_low_u32x4(wasm_v128_load(power)));
        const v128_t high = ts_host_requantize_two(wasm_i64x2_extmul_high_i32x4(value, multiplier.four[i]),
                                                   wasm_u64x2_extend_high_u32x4(wasm_v128_load(half)),
                                                   wasm_u64x2_extend_high_u32x4(wasm_v128_load(power)));
        v.four[i] = wasm_i32x4_shuffle(low, high, 0, 2, 4, 6);
    }
    return v;
}

TS_HOST_INLINE void ts_lanes_store(ts_lanes v, ts_lanes low, ts_lanes high, int8_t *to, int32_t count)
{
    TS_HOST_EACH(i)
    {
        v.four[i] = wasm_i32x4_min(wasm_i32x4_max(v.four[i], low.four[i]), high.four[i]);
    }
    const v128_t bytes = wasm_i8x16_narrow_i16x8(wasm_i16x8_narrow_i32x4(v.four[0], v.four[1]),
                                                 wasm_i16x8_narrow_i32x4(v.four[2], v.four[3]));
    if (count == TS_HOST_LANES) {
        wasm_v128_store(to, bytes);
    } else {
        int8_t all[TS_HOST_LANES];
        wasm_v128_store(all, bytes);
        for (int32_t i = 0; i < count; i++) {
            to[i] = all[i];
        }
    }
}

TS_HOST_INLINE ts_quads ts_quads_load(const int8_t *from)
{
    return ts_host_load(from);
}

TS_HOST_INLINE ts_quads ts_quads_spread(const uint8_t *x)
{
    const v128_t all = wasm_v128_load32_splat(x);
    return (ts_quads){{all, all, all, all}};
}

TS_HOST_INLINE ts_quads ts_quads_interleave(const uint8_t *a, const uint8_t *b, const uint8_t *c, const uint8_t *d)
{
    const v128_t first = wasm_v128_load(a), second = wasm_v128_load(b);
    const v128_t third = wasm_v128_load(c), fourth = wasm_v128_load(d);
    const v128_t ab_low = wasm_i8x16_shuffle(first, second, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
    const v128_t ab_high =
        wasm_i8x16_shuffle(first, second, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
    const v128_t cd_low = wasm_i8x16_shuffle(third, fourth, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
    const v128_t cd_high =
        wasm_i8x16_shuffle(third, fourth, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
    return (ts_quads){{wasm_i16x8_shuffle(ab_low, cd_low, 0, 8, 1, 9, 2, 10, 3, 11),
                       wasm_i16x8_shuffle(ab_low, cd_low, 4, 12, 5, 13, 6, 14, 7, 15),
                       wasm_i16x8_shuffle(ab_high, cd_high, 0, 8, 1, 9, 2, 10, 3, 11),
                       wasm_i16x8_shuffle(ab_high, cd_high, 4, 12, 5, 13, 6, 14, 7, 15)}};
}

#endif
