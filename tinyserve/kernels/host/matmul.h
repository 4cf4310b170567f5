/* SPDX-License-Identifier: Apache-2.0 */
/* Pixels times weights: what convolutions and fully connected layers have in common on the host.
 *
 * A pixel's inputs are `runs` of consecutive bytes at fixed offsets from where it starts, each `run_quads` groups of
 * four long; a last group that is not full reads on, where the weights are zero. Weights: per block of 16 channels, for
 * each group in turn, [16 channels][4]. Requantization: per block, 16 biases (with the inputs' offset folded in), 16
 * multipliers, 16 shifts. Results are [pixels][channels]. */
#ifndef TS_HOST_MATMUL_H
#define TS_HOST_MATMUL_H

#include <stdint.h>

#include "../common/params.h"
#include "host/lanes.h"

typedef struct {
    int32_t runs, run_quads;
    const int32_t *offsets;
    int32_t channels;
    const int8_t *weights;
    const int32_t *requant;
    int32_t zero_point;
    ts_activation activation;
} ts_host_matmul;

#define TS_HOST_REQUANT (3 * TS_HOST_LANES)
#define TS_HOST_MOST 4

/* `pixels` of them, `step` bytes apart, by `blocks` of 16 channels, from `channel` on; both counts are constants, so
 * that the sums stay in registers. */
TS_HOST_INLINE void ts_host_tile(const ts_host_matmul *m, const uint8_t *x, int32_t step, const int32_t pixels,
                                 const int32_t blocks, int32_t channel, int8_t *output)
{
    const int32_t block_bytes = m->runs * m->run_quads * 4 * TS_HOST_LANES;
    const int8_t *w = m->weights + channel / TS_HOST_LANES * block_bytes;
    const int32_t *requant = m->requant + channel / TS_HOST_LANES * TS_HOST_REQUANT;
    ts_lanes sums[TS_HOST_MOST][TS_HOST_MOST];
#pragma GCC unroll 4
    for (int32_t b = 0; b < blocks; b++) {
#pragma GCC unroll 4
        for (int32_t p = 0; p < pixels; p++) {
            sums[p][b] = ts_lanes_load(requant + b * TS_HOST_REQUANT);
        }
    }
    for (int32_t run = 0; run < m->runs; run++) {
        const uint8_t *from = x + m->offsets[run];
        for (int32_t quad = 0; quad < m->run_quads; quad++, from += 4, w += 4 * TS_HOST_LANES) {
#pragma GCC unroll 4
            for (int32_t b = 0; b < blocks; b++) {
                const ts_quads weights = ts_quads_load(w + b * block_bytes);
#pragma GCC unroll 4
                for (int32_t p = 0; p < pixels; p++) {
                    sums[p][b] = ts_lanes_dot(sums[p][b], ts_quads_spread(from + p * step), weights);
                }
            }
        }
    }
    const ts_lanes zero_point = ts_lanes_of(m->zero_point);
    const ts_lanes low = ts_lanes_of(m->activation.min), high = ts_lanes_of(m->activation.max);
#pragma GCC unroll 4
    for (int32_t b = 0; b < blocks; b++, channel += TS_HOST_LANES) {
        const ts_lanes multiplier = ts_lanes_load(requant + b * TS_HOST_REQUANT + TS_HOST_LANES);
        const ts_lanes shift = ts_lanes_load(requant + b * TS_HOST_REQUANT + 2 * TS_HOST_LANES);
        const int32_t left = m->channels - channel, count = left < TS_HOST_LANES ? left : TS_HOST_LANES;
#pragma GCC unroll 4
        for (int32_t p = 0; p < pixels; p++) {
            const ts_lanes scaled = ts_lanes_requantize(sums[p][b], multiplier, shift);
            ts_lanes_store(ts_lanes_add(scaled, zero_point), low, high, output + p * m->channels + channel, count);
        }
    }
}

/* One function per shape: inlined into every layer they would take minutes to compile. */
#define TS_HOST_TILE(pixels, blocks)                                                                                   \
    TS_HOST_KERNEL void ts_host_tile_##pixels##_##blocks(const ts_host_matmul *m, const uint8_t *x, int32_t step,      \
                                                         int32_t channel, int8_t *output)                              \
    {                                                                                                                  \
        ts_host_tile(m, x, step, pixels, blocks, channel, output);                                                     \
    }

TS_HOST_TILE(4, 1)
TS_HOST_TILE(2, 1)
TS_HOST_TILE(1, 1)
TS_HOST_TILE(4, 2)
TS_HOST_TILE(2, 2)
TS_HOST_TILE(1, 2)
TS_HOST_TILE(4, 4)
TS_HOST_TILE(2, 4)
TS_HOST_TILE(1, 4)

/* All channels of 1, 2 or 4 pixels: 64 at a time as long as there are so many and `most` blocks may be taken. */
#define TS_HOST_GROUP(pixels, most)                                                                                    \
    static inline void ts_host_group_##pixels(const ts_host_matmul *m, const uint8_t *x, int32_t step, int8_t *output) \
    {                                                                                                                  \
        int32_t channel = 0;                                                                                           \
        for (; most >= 4 && m->channels - channel > 3 * TS_HOST_LANES; channel += 4 * TS_HOST_LANES) {                 \
            ts_host_tile_##pixels##_4(m, x, step, channel, output);                                                    \
        }                                                                                                              \
        for (; most >= 2 && m->channels - channel > TS_HOST_LANES; channel += 2 * TS_HOST_LANES) {                     \
            ts_host_tile_##pixels##_2(m, x, step, channel, output);                                                    \
        }                                                                                                              \
        for (; channel < m->channels; channel += TS_HOST_LANES) {                                                      \
            ts_host_tile_##pixels##_1(m, x, step, channel, output);                                                    \
        }                                                                                                              \
    }

TS_HOST_GROUP(4, TS_HOST_BLOCKS)
TS_HOST_GROUP(2, TS_HOST_BLOCKS)
TS_HOST_GROUP(1, TS_HOST_BLOCKS_OF_ONE)

/* `pixels` pixels that start `step` bytes apart. */
static inline void ts_host_row(const ts_host_matmul *m, const uint8_t *x, int32_t step, int32_t pixels, int8_t *output)
{
    for (; pixels >= 4; pixels -= 4, x += 4 * step, output += 4 * m->channels) {
        ts_host_group_4(m, x, step, output);
    }
    if (pixels >= 2) {
        ts_host_group_2(m, x, step, output);
        pixels -= 2;
        x += 2 * step;
        output += 2 * m->channels;
    }
    if (pixels > 0) {
        ts_host_group_1(m, x, step, output);
    }
}

#endif
