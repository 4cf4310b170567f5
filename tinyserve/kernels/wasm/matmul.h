/* SPDX-License-Identifier: Apache-2.0 */
/* Pixels times weights: what convolutions and fully connected layers have in common in WebAssembly.
 *
 * A pixel's inputs are `runs` of consecutive int16 values at fixed offsets from where it starts, each
 * `run_pairs` pairs long; a last pair that is not full reads on, where the weight is zero. Weights: per block of four
 * channels, for each pair in turn, [4 channels][2]. Biases, multipliers and shifts are padded to blocks of four.
 * Results are [pixels][channels]. Four pixels by two blocks, or one by four, are what sixteen registers hold. */
#ifndef TS_WASM_MATMUL_H
#define TS_WASM_MATMUL_H

#include <stdint.h>

#include "wasm/simd.h"

typedef struct {
    int32_t runs, run_pairs;
    const int32_t *offsets;
    int32_t channels;
    const int8_t *weights;
    ts_wasm_requant requant;
} ts_wasm_matmul;

/* Requantizes sums [pixels][blocks]: one function for all tiles, since it is long and runs once per tile. */
TS_WASM_KERNEL void ts_wasm_finish(const ts_wasm_matmul *m, const v128_t *sums, int32_t pixels, int32_t blocks,
                                   int32_t channel, int8_t *output)
{
    for (int32_t b = 0; b < blocks && channel < m->channels; b += 2, channel += 2 * TS_WASM_LANES) {
        const int32_t other = b + 1 < blocks ? 1 : 0, left = m->channels - channel;
        const int32_t most = (1 + other) * TS_WASM_LANES;
        const ts_wasm_factors first = ts_wasm_factors_at(&m->requant, channel);
        const ts_wasm_factors second = ts_wasm_factors_at(&m->requant, channel + other * TS_WASM_LANES);
        for (int32_t p = 0; p < pixels; p++) {
            const v128_t *at = sums + p * blocks + b;
            const v128_t low = ts_wasm_requantize(at[0], &first), high = ts_wasm_requantize(at[other], &second);
            ts_wasm_store_bytes(ts_wasm_bytes(low, high, &m->requant), output + p * m->channels + channel,
                                left < most ? left : most);
        }
    }
}

/* `pixels` of them, `step` values apart, by `blocks` blocks from `channel` on. Both counts are constants. */
TS_WASM_INLINE void ts_wasm_tile(const ts_wasm_matmul *m, const int16_t *x, int32_t step, const int32_t pixels,
                                 const int32_t blocks, int32_t channel, int8_t *output)
{
    const int32_t block_bytes = m->runs * m->run_pairs * 2 * TS_WASM_LANES;
    const int8_t *w = m->weights + channel / TS_WASM_LANES * block_bytes;
    v128_t sums[4][4];
    TS_WASM_UNROLL
    for (int32_t b = 0; b < blocks; b++) {
        TS_WASM_UNROLL
        for (int32_t p = 0; p < pixels; p++) {
            sums[p][b] = wasm_v128_load(m->requant.bias + channel + b * TS_WASM_LANES);
        }
    }
    for (int32_t run = 0; run < m->runs; run++) {
        const int16_t *from = x + m->offsets[run];
        for (int32_t pair = 0; pair < m->run_pairs; pair++, from += 2, w += 2 * TS_WASM_LANES) {
            v128_t weights[4];
            TS_WASM_UNROLL
            for (int32_t b = 0; b < blocks; b++) {
                weights[b] = wasm_i16x8_load8x8(w + b * block_bytes);
            }
            TS_WASM_UNROLL
            for (int32_t p = 0; p < pixels; p++) {
                const v128_t values = wasm_v128_load32_splat(from + p * step);
                TS_WASM_UNROLL
                for (int32_t b = 0; b < blocks; b++) {
                    sums[p][b] = wasm_i32x4_add(sums[p][b], wasm_i32x4_dot_i16x8(values, weights[b]));
                }
            }
        }
    }
    v128_t finished[16];
    TS_WASM_UNROLL
    for (int32_t p = 0; p < pixels; p++) {
        TS_WASM_UNROLL
        for (int32_t b = 0; b < blocks; b++) {
            finished[p * blocks + b] = sums[p][b];
        }
    }
    ts_wasm_finish(m, finished, pixels, blocks, channel, output);
}

typedef struct {
    int32_t runs, run_length;
    const int32_t *offsets;
    int32_t channels;
    const float *weights;
    const float *bias;
    ts_activation_f32 activation;
} ts_wasm_matmul_f32;

/* As above, of float32: weights [blocks][values][4]. Each sum is in the portable kernel's order. */
TS_WASM_INLINE void ts_wasm_tile_f32(const ts_wasm_matmul_f32 *m, const float *x, int32_t step, const int32_t pixels,
                                     const int32_t blocks, int32_t channel, float *output)
{
    const int32_t block_size = m->runs * m->run_length * TS_WASM_LANES;
    const float *w = m->weights + channel / TS_WASM_LANES * block_size;
    v128_t sums[4][4];
    TS_WASM_UNROLL
    for (int32_t b = 0; b < blocks; b++) {
        TS_WASM_UNROLL
        for (int32_t p = 0; p < pixels; p++) {
            sums[p][b] = wasm_f32x4_splat(0.0f);
        }
    }
    for (int32_t run = 0; run < m->runs; run++) {
        const float *from = x + m->offsets[run];
        for (int32_t i = 0; i < m->run_length; i++, from++, w += TS_WASM_LANES) {
            v128_t weights[4];
            TS_WASM_UNROLL
            for (int32_t b = 0; b < blocks; b++) {
                weights[b] = wasm_v128_load(w + b * block_size);
            }
            TS_WASM_UNROLL
            for (int32_t p = 0; p < pixels; p++) {
                const v128_t value = wasm_v128_load32_splat(from + p * step);
                TS_WASM_UNROLL
                for (int32_t b = 0; b < blocks; b++) {
                    sums[p][b] = wasm_f32x4_add(sums[p][b], wasm_f32x4_mul(value, weights[b]));
                }
            }
        }
    }
    TS_WASM_UNROLL
    for (int32_t b = 0; b < blocks; b++, channel += TS_WASM_LANES) {
        TS_WASM_UNROLL
        for (int32_t p = 0; p < pixels; p++) {
            ts_wasm_store_floats(sums[p][b], wasm_v128_load(m->bias + channel), m->activation.min, m->activation.max,
                                 output + p * m->channels + channel, m->channels - channel);
        }
    }
}

#define TS_WASM_TILE(tile, matmul, value, result, pixels, blocks)                                                      \
    TS_WASM_KERNEL void tile##_##pixels##_##blocks(const matmul *m, const value *x, int32_t step, int32_t channel,     \
                                                   result *output)                                                     \
    {                                                                                                                  \
        tile(m, x, step, pixels, blocks, channel, output);                                                             \
    }

/* All channels of `pixels` pixels, `most` blocks of four at a time. */
#define TS_WASM_GROUP(tile, m, x, step, pixels, most, output)                                                          \
    for (int32_t channel = 0; channel < (m)->channels;) {                                                              \
        if ((m)->channels - channel > ((most)-1) * TS_WASM_LANES) {                                                    \
            tile##_##pixels##_##most(m, x, step, channel, output);                                                     \
            channel += (most)*TS_WASM_LANES;                                                                           \
        } else {                                                                                                       \
            tile##_##pixels##_1(m, x, step, channel, output);                                                          \
            channel += TS_WASM_LANES;                                                                                  \
        }                                                                                                              \
    }

/* `name`: `pixels` pixels that start `step` values apart. */
#define TS_WASM_ROW(name, tile, matmul, value, result)                                                                 \
    TS_WASM_TILE(tile, matmul, value, result, 4, 2)                                                                    \
    TS_WASM_TILE(tile, matmul, value, result, 4, 1)                                                                    \
    TS_WASM_TILE(tile, matmul, value, result, 1, 4)                                                                    \
    TS_WASM_TILE(tile, matmul, value, result, 1, 1)                                                                    \
    TS_WASM_KERNEL void name(const matmul *m, const value *x, int32_t step, int32_t pixels, result *output)            \
    {                                                                                                                  \
        for (; pixels >= 4; pixels -= 4, x += 4 * step, output += 4 * m->channels) {                                   \
            TS_WASM_GROUP(tile, m, x, step, 4, 2, output)                                                              \
        }                                                                                                              \
        for (; pixels > 0; pixels--, x += step, output += m->channels) {                                               \
            TS_WASM_GROUP(tile, m, x, step, 1, 4, output)                                                              \
        }                                                                                                              \
    }

TS_WASM_ROW(ts_wasm_row, ts_wasm_tile, ts_wasm_matmul, int16_t, int8_t)
TS_WASM_ROW(ts_wasm_row_f32, ts_wasm_tile_f32, ts_wasm_matmul_f32, float, float)

#endif
