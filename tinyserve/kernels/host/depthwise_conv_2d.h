/* SPDX-License-Identifier: Apache-2.0 */
/* DEPTHWISE_CONV_2D of depth multiplier 1 on the host: 16 channels at a time, four taps per dot product. */
#ifndef TS_HOST_DEPTHWISE_CONV_2D_H
#define TS_HOST_DEPTHWISE_CONV_2D_H

#include <stdint.h>

#include "../common/params.h"
#include "host/floats.h"
#include "host/lanes.h"
#include "host/padded.h"

/* A row of outputs is `groups` stretches of `group_lanes` consecutive values, whose inputs start group_step bytes
 * apart: with stride 1 the whole row is one, otherwise each pixel. Weights repeat after `period` blocks of 16 lanes:
 * per block, [quads][16][4], taps in fours. `offsets` of all taps from the place of the first. requant: see
 * host/matmul.h. */
typedef struct {
    int32_t batches;
    ts_host_image image;
    int32_t output_height, row_step, groups, group_lanes, group_step;
    int32_t quads, period;
    const int32_t *offsets;
    const int8_t *weights;
    const int32_t *requant;
    int32_t zero_point;
    ts_activation activation;
} ts_host_depthwise_conv_2d_params;

TS_HOST_INLINE void ts_host_depthwise_block(const ts_host_depthwise_conv_2d_params *p, const uint8_t *x, int32_t block,
                                            int32_t count, int8_t *output)
{
    const int32_t *requant = p->requant + block * 3 * TS_HOST_LANES;
    const int8_t *w = p->weights + block * p->quads * 4 * TS_HOST_LANES;
    const int32_t *at = p->offsets;
    ts_lanes sum = ts_lanes_load(requant);
    for (int32_t quad = 0; quad < p->quads; quad++, at += 4, w += 4 * TS_HOST_LANES) {
        const ts_quads taps = ts_quads_interleave(x + at[0], x + at[1], x + at[2], x + at[3]);
        sum = ts_lanes_dot(sum, taps, ts_quads_load(w));
    }
    const ts_lanes multiplier = ts_lanes_load(requant + TS_HOST_LANES);
    const ts_lanes scaled = ts_lanes_requantize(sum, multiplier, ts_lanes_load(requant + 2 * TS_HOST_LANES));
    ts_lanes_store(ts_lanes_add(scaled, ts_lanes_of(p->zero_point)), ts_lanes_of(p->activation.min),
                   ts_lanes_of(p->activation.max), output, count);
}

static inline int8_t *ts_host_depthwise_group(const ts_host_depthwise_conv_2d_params *p, const uint8_t *x,
                                              int8_t *output)
{
    int32_t lane = 0, block = 0;
    for (; lane + TS_HOST_LANES <= p->group_lanes; lane += TS_HOST_LANES) {
        ts_host_depthwise_block(p, x + lane, block, TS_HOST_LANES, output + lane);
        block = block + 1 < p->period ? block + 1 : 0;
    }
    if (lane < p->group_lanes) {
        ts_host_depthwise_block(p, x + lane, block, p->group_lanes - lane, output + lane);
    }
    return output + p->group_lanes;
}

/* Input [batches][height][width][channels], padded: TS_HOST_SLACK bytes more than one padded image. */
TS_HOST_KERNEL void ts_host_depthwise_conv_2d_s8(const ts_host_depthwise_conv_2d_params *p, const int8_t *input,
                                                 int8_t *output, uint8_t *padded)
{
    for (int32_t batch = 0; batch < p->batches; batch++) {
        ts_host_pad(&p->image, input, padded);
        for (int32_t row = 0; row < p->output_height; row++) {
            for (int32_t group = 0; group < p->groups; group++) {
                output = ts_host_depthwise_group(p, padded + row * p->row_step + group * p->group_step, output);
            }
        }
        input += p->image.height * p->image.width * p->image.channels;
    }
}

/* As above, in values instead of bytes: `taps` of them, weights [taps][16] and 16 biases per block. */
typedef struct {
    int32_t batches;
    ts_host_image image;
    int32_t output_height, row_step, groups, group_lanes, group_step;
    int32_t taps, period;
    const int32_t *offsets;
    const float *weights;
    const float *bias;
    ts_activation_f32 activation;
} ts_host_depthwise_conv_2d_f32_params;

TS_HOST_INLINE void ts_host_depthwise_block_f32(const ts_host_depthwise_conv_2d_f32_params *p, const float *x,
                                                int32_t block, int32_t count, float *output)
{
    const float *w = p->weights + block * p->taps * TS_HOST_LANES;
    ts_floats sum = ts_floats_of(0.0f);
    for (int32_t tap = 0; tap < p->taps; tap++, w += TS_HOST_LANES) {
        sum = ts_floats_multiply_add(sum, ts_floats_load(x + p->offsets[tap]), ts_floats_load(w));
    }
    ts_floats_store(sum, p->bias + block * TS_HOST_LANES, p->activation.min, p->activation.max, output, count);
}

/* padded: TS_HOST_SLACK values more than one padded image. */
TS_HOST_KERNEL void ts_host_depthwise_conv_2d_f32(const ts_host_depthwise_conv_2d_f32_params *p, const float *input,
                                                  float *output, float *padded)
{
    for (int32_t batch = 0; batch < p->batches; batch++) {
        ts_host_pad_f32(&p->image, input, padded);
        for (int32_t row = 0; row < p->output_height; row++) {
            for (int32_t group = 0; group < p->groups; group++) {
                const float *x = padded + row * p->row_step + group * p->group_step;
                int32_t block = 0;
                for (int32_t lane = 0; lane < p->group_lanes; lane += TS_HOST_LANES) {
                    const int32_t left = p->group_lanes - lane;
                    ts_host_depthwise_block_f32(p, x + lane, block, left < TS_HOST_LANES ? left : TS_HOST_LANES,
                                                output + lane);
                    block = block + 1 < p->period ? block + 1 : 0;
                }
                output += p->group_lanes;
            }
        }
        input += p->image.height * p->image.width * p->image.channels;
    }
}

#endif
