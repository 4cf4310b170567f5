/* SPDX-License-Identifier: Apache-2.0 */
/* FULLY_CONNECTED, int8, for Armv6-M: one row of inputs times two channels at a time.
 *
 * Input [batches, depth], output [batches, channels]. Equals ts_fully_connected_s8 (and so TFLM's
 * reference_integer_ops::FullyConnected) byte for byte, for right shifts and bounded accumulators (see requantize.h).
 * Each row is copied before the first of its outputs is written.
 */
#ifndef TS_KERNELS_THUMB1_FULLY_CONNECTED_H
#define TS_KERNELS_THUMB1_FULLY_CONNECTED_H

#include "../common/params.h"
#include "requantize.h"

#define TS_THUMB1_FC_PAIRS 8

typedef struct {
    const uint8_t *weights; /* weight + 128, rows padded to a multiple of 8 taps, an even number of rows */
    const int32_t *requant; /* ts_thumb1_channel, 8 words each */
    int32_t batches, depth, channels;
    ts_activation activation;
} ts_thumb1_fully_connected_params;

/* dots2.S */
void ts_thumb1_dots2(const int32_t *row, const uint8_t *weights, uint32_t blocks, int32_t start, int32_t *acc,
                     uint32_t pairs);

/* Bytes of scratch. */
#define TS_THUMB1_FC_SCRATCH_BYTES(depth) (4 * (((depth) + 7) / 8 * 8))

/* `row` is scratch of one word per tap, the taps rounded up to a multiple of 8. */
TS_THUMB1_KERNEL void ts_thumb1_fully_connected_s8(const ts_thumb1_fully_connected_params *p, const int8_t *input,
                                                   int8_t *output, int32_t *row)
{
    const int32_t blocks = (p->depth + 7) / 8;
    for (int32_t batch = 0; batch < p->batches; ++batch) {
        int32_t acc[2 * TS_THUMB1_FC_PAIRS];
        const uint8_t *weights = p->weights;
        const ts_thumb1_channel *channel = (const ts_thumb1_channel *)(const void *)p->requant;
        int32_t sum = 0;
        for (int32_t i = 0; i < p->depth; ++i) {
            row[i] = *input;
            sum += *input++;
        }
        for (int32_t i = p->depth; i < blocks * 8; ++i) {
            row[i] = 0;
        }
        for (int32_t left = p->channels; left > 0; left -= 2 * TS_THUMB1_FC_PAIRS) {
            const int32_t count = left < 2 * TS_THUMB1_FC_PAIRS ? left : 2 * TS_THUMB1_FC_PAIRS;
            const int32_t pairs = (count + 1) / 2;
            ts_thumb1_dots2(row, weights, (uint32_t)blocks, -128 * sum, acc, (uint32_t)pairs);
            for (int32_t i = 0; i < count; ++i) {
                *output++ = ts_thumb1_requantize(acc[i], channel, p->activation);
                ++channel;
            }
            weights += pairs * blocks * 16;
        }
    }
}

#endif
