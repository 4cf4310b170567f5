/* SPDX-License-Identifier: Apache-2.0 */
/* As host/matmul.h, of float32: four pixels (or one) by 16 or 64 channels.
 *
 * A pixel's inputs are `runs` of `run_length` consecutive values at fixed offsets. Weights: per block of 16 channels,
 * for each input in turn, [16]; 16 biases per block. */
#ifndef TS_HOST_MATMUL_F32_H
#define TS_HOST_MATMUL_F32_H

#include <stdint.h>

#include "../common/params.h"
#include "host/floats.h"

typedef struct {
    int32_t runs, run_length;
    const int32_t *offsets;
    int32_t channels;
    const float *weights;
    const float *bias;
    ts_activation_f32 activation;
} ts_host_matmul_f32;

#define TS_HOST_MOST_F32 4

/* `pixels` and `blocks` are constants, so that the sums stay in registers. */
TS_HOST_INLINE void ts_host_tile_f32(const ts_host_matmul_f32 *m, const float *x, int32_t step, const int32_t pixels,
                                     const int32_t blocks, int32_t channel, float *output)
{
    const int32_t block_size = m->runs * m->run_length * TS_HOST_LANES;
    const float *w = m->weights + channel / TS_HOST_LANES * block_size;
    ts_floats sums[TS_HOST_MOST_F32][TS_HOST_MOST_F32];
#pragma GCC unroll 4
    for (int32_t p = 0; p < pixels; p++) {
#pragma GCC unroll 4
        for (int32_t b = 0; b < blocks; b++) {
            sums[p][b] = ts_floats_of(0.0f);
        }
    }
    for (int32_t run = 0; run < m->runs; run++) {
        const float *from = x + m->offsets[run];
        for (int32_t i = 0; i < m->run_length; i++, w += TS_HOST_LANES) {
#pragma GCC unroll 4
            for (int32_t b = 0; b < blocks; b++) {
                const ts_floats weights = ts_floats_load(w + b * block_size);
#pragma GCC unroll 4
                for (int32_t p = 0; p < pixels; p++) {
                    sums[p][b] = ts_floats_multiply_add(sums[p][b], ts_floats_of(from[p * step + i]), weights);
                }
            }
        }
    }
#pragma GCC unroll 4
    for (int32_t b = 0; b < blocks; b++, channel += TS_HOST_LANES) {
        const int32_t left = m->channels - channel, count = left < TS_HOST_LANES ? left : TS_HOST_LANES;
#pragma GCC unroll 4
        for (int32_t p = 0; p < pixels; p++) {
            ts_floats_store(sums[p][b], m->bias + channel, m->activation.min, m->activation.max,
                            output + p * m->channels + channel, count);
        }
    }
}

#define TS_HOST_TILE_F32(pixels, blocks)                                                                               \
    TS_HOST_KERNEL void ts_host_tile_f32_##pixels##_##blocks(const ts_host_matmul_f32 *m, const float *x,              \
                                                             int32_t step, int32_t channel, float *output)             \
    {                                                                                                                  \
        ts_host_tile_f32(m, x, step, pixels, blocks, channel, output);                                                 \
    }

TS_HOST_TILE_F32(4, 1)
TS_HOST_TILE_F32(1, 1)
TS_HOST_TILE_F32(4, 4)
TS_HOST_TILE_F32(1, 4)

/* All channels of 1 or 4 pixels, 64 at a time where `most` says that so many fit the registers. */
#define TS_HOST_GROUP_F32(pixels, most)                                                                                \
    static inline void ts_host_group_f32_##pixels(const ts_host_matmul_f32 *m, const float *x, int32_t step,           \
                                                  float *output)                                                       \
    {                                                                                                                  \
        int32_t channel = 0;                                                                                           \
        for (; most >= 4 && m->channels - channel > 3 * TS_HOST_LANES; channel += 4 * TS_HOST_LANES) {                 \
            ts_host_tile_f32_##pixels##_4(m, x, step, channel, output);                                                \
        }                                                                                                              \
        for (; channel < m->channels; channel += TS_HOST_LANES) {                                                      \
            ts_host_tile_f32_##pixels##_1(m, x, step, channel, output);                                                \
        }                                                                                                              \
    }

TS_HOST_GROUP_F32(4, (TS_HOST_VECTORS == 1 ? 4 : 1))
TS_HOST_GROUP_F32(1, (TS_HOST_VECTORS <= 2 ? 4 : 1))

/* `pixels` pixels that start `step` values apart. */
static inline void ts_host_row_f32(const ts_host_matmul_f32 *m, const float *x, int32_t step, int32_t pixels,
                                   float *output)
{
    for (; pixels >= 4; pixels -= 4, x += 4 * step, output += 4 * m->channels) {
        ts_host_group_f32_4(m, x, step, output);
    }
    for (; pixels > 0; pixels--, x += step, output += m->channels) {
        ts_host_group_f32_1(m, x, step, output);
    }
}

#endif
