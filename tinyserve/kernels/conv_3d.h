/* SPDX-License-Identifier: Apache-2.0 */
/* CONV_3D: three-dimensional convolution of float32. */
#ifndef TS_CONV_3D_H
#define TS_CONV_3D_H

#include <stdint.h>

#include "common/float_sum.h"
#include "common/params.h"

/* Extents, strides and zeros before the first element along depth, height and width. Input
 * [batches][input_shape][input_channels], filter [filter_shape][input_channels][output_channels]. */
typedef struct {
    int32_t batches, input_channels, output_channels;
    int32_t input_shape[3], filter_shape[3], output_shape[3];
    int32_t strides[3], dilations[3], pads[3];
    ts_activation_f32 activation;
} ts_conv_3d_params;

/* The sum of one output: input and filter are those of its batch and output channel, at is its place. */
static inline float ts_conv_3d_sum_f32(const ts_conv_3d_params *p, const float *input, const float *filter,
                                       const int32_t *at)
{
    float sum = 0.0f;
    for (int32_t d = 0; d < p->filter_shape[0]; d++) {
        const int32_t z = at[0] * p->strides[0] - p->pads[0] + d * p->dilations[0];
        for (int32_t h = 0; h < p->filter_shape[1]; h++) {
            const int32_t y = at[1] * p->strides[1] - p->pads[1] + h * p->dilations[1];
            for (int32_t w = 0; w < p->filter_shape[2]; w++) {
                const int32_t x = at[2] * p->strides[2] - p->pads[2] + w * p->dilations[2];
                const int32_t inside = z >= 0 && z < p->input_shape[0] && y >= 0 && y < p->input_shape[1] && x >= 0 &&
                                       x < p->input_shape[2];
                const int32_t tap = (d * p->filter_shape[1] + h) * p->filter_shape[2] + w;
                const int32_t pixel = (z * p->input_shape[1] + y) * p->input_shape[2] + x;
                for (int32_t c = 0; inside && c < p->input_channels; c++) {
                    sum = ts_add_product(sum, input[pixel * p->input_channels + c],
                                         filter[(tap * p->input_channels + c) * p->output_channels]);
                }
            }
        }
    }
    return sum;
}

/* Without a bias: NULL. */
static inline void ts_conv_3d_f32(const ts_conv_3d_params *p, const float *input, const float *filter,
                                  const float *bias, float *output)
{
    const int32_t volume = p->input_shape[0] * p->input_shape[1] * p->input_shape[2] * p->input_channels;
    const int32_t pixels = p->output_shape[0] * p->output_shape[1] * p->output_shape[2];
    for (int32_t b = 0; b < p->batches; b++, input += volume) {
        for (int32_t i = 0; i < pixels; i++) {
            const int32_t row = i / p->output_shape[2];
            const int32_t at[3] = {row / p->output_shape[1], row % p->output_shape[1], i % p->output_shape[2]};
            for (int32_t c = 0; c < p->output_channels; c++) {
                const float sum = ts_conv_3d_sum_f32(p, input, filter + c, at) + (bias != 0 ? bias[c] : 0.0f);
                *output++ = ts_activate_f32(p->activation, sum);
            }
        }
    }
}

static inline void ts_conv_3d_without_bias_f32(const ts_conv_3d_params *p, const float *input, const float *filter,
                                               float *output)
{
    ts_conv_3d_f32(p, input, filter, 0, output);
}

#endif
