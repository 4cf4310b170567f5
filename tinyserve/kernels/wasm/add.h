/* SPDX-License-Identifier: Apache-2.0 */
/* ADD and SUB of one shape in WebAssembly: eight elements of int8 or four of float32 at a time, read before they are
 * written, so that the output may lie over an input. */
#ifndef TS_WASM_ADD_H
#define TS_WASM_ADD_H

#include <stdbool.h>
#include <stdint.h>

#include "../common/sum_scaling.h"
#include "wasm/simd.h"

/* As ts_add_quantized_params. Shifts are -30..0; scaled values stay below 2^30. */
typedef struct {
    int32_t elements;
    ts_activation activation;
    ts_sum_scaling scaling;
    bool subtract;
} ts_wasm_add_params;

TS_WASM_INLINE ts_wasm_factors ts_wasm_factors_of(ts_factor factor)
{
    return (ts_wasm_factors){wasm_i32x4_splat(factor.multiplier), wasm_i32x4_splat((1 << -factor.shift) >> 1),
                             wasm_i32x4_splat(1 << (30 + factor.shift)), wasm_i32x4_splat(factor.shift < 0 ? -1 : 0)};
}

/* Four of (x + offset) << left_shift, scaled. */
TS_WASM_INLINE v128_t ts_wasm_add_scale(v128_t x, int32_t left_shift, const ts_wasm_factors *f)
{
    return ts_wasm_requantize(wasm_i32x4_shl(x, (uint32_t)left_shift), f);
}

TS_WASM_KERNEL void ts_wasm_add_s8(const ts_wasm_add_params *p, const int8_t *input1, const int8_t *input2,
                                   int8_t *output)
{
    const ts_wasm_factors f1 = ts_wasm_factors_of(p->scaling.factor1);
    const ts_wasm_factors f2 = ts_wasm_factors_of(p->scaling.factor2);
    const ts_wasm_factors fo = ts_wasm_factors_of(p->scaling.output_factor);
    const v128_t offset1 = wasm_i16x8_splat((int16_t)p->scaling.offset1),
                 offset2 = wasm_i16x8_splat((int16_t)p->scaling.offset2);
    const ts_wasm_requant bounds = {.zero_point = p->scaling.output_offset, .activation = p->activation};
    for (int32_t i = 0; i < p->elements; i += 8) {
        const int32_t left = p->elements - i;
        int8_t rest[2][8] = {{0}};
        for (int32_t j = 0; left < 8 && j < left; j++) {
            rest[0][j] = input1[i + j];
            rest[1][j] = input2[i + j];
        }
        const v128_t a = wasm_i16x8_add(wasm_i16x8_load8x8(left < 8 ? rest[0] : input1 + i), offset1);
        const v128_t b = wasm_i16x8_add(wasm_i16x8_load8x8(left < 8 ? rest[1] : input2 + i), offset2);
        const v128_t a_low = ts_wasm_add_scale(wasm_i32x4_extend_low_i16x8(a), p->scaling.left_shift, &f1);
        const v128_t a_high = ts_wasm_add_scale(wasm_i32x4_extend_high_i16x8(a), p->scaling.left_shift, &f1);
        v128_t b_low = ts_wasm_add_scale(wasm_i32x4_extend_low_i16x8(b), p->scaling.left_shift, &f2);
        v128_t b_high = ts_wasm_add_scale(wasm_i32x4_extend_high_i16x8(b), p->scaling.left_shift, &f2);
        if (p->subtract) {
            b_low = wasm_i32x4_neg(b_low);
            b_high = wasm_i32x4_neg(b_high);
        }
        const v128_t low = ts_wasm_requantize(wasm_i32x4_add(a_low, b_low), &fo);
        const v128_t high = ts_wasm_requantize(wasm_i32x4_add(a_high, b_high), &fo);
        ts_wasm_store_bytes(ts_wasm_bytes(low, high, &bounds), output + i, left);
    }
}

typedef struct {
    int32_t elements;
    ts_activation_f32 activation;
    bool subtract;
} ts_wasm_add_f32_params;

TS_WASM_KERNEL void ts_wasm_add_f32(const ts_wasm_add_f32_params *p, const float *input1, const float *input2,
                                    float *output)
{
    const float sign = p->subtract ? -1.0f : 1.0f;
    int32_t i = 0;
    for (; i + TS_WASM_LANES <= p->elements; i += TS_WASM_LANES) {
        const v128_t b = wasm_f32x4_mul(wasm_v128_load(input2 + i), wasm_f32x4_splat(sign));
        ts_wasm_store_floats(wasm_v128_load(input1 + i), b, p->activation.min, p->activation.max, output + i,
                             TS_WASM_LANES);
    }
    for (; i < p->elements; i++) {
        ts_wasm_store_floats(wasm_v128_load32_zero(input1 + i), wasm_f32x4_splat(input2[i] * sign), p->activation.min,
                             p->activation.max, output + i, 1);
    }
}

#endif
