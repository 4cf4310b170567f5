/* SPDX-License-Identifier: Apache-2.0 */
/* DEPTHWISE_CONV_2D, int8, channel multiplier 1, for Helium: four channels side by side, tap by tap.
 *
 * For layers of few output pixels, where gathering a plane per channel does not pay. Input [batches, height, width,
 * channels], output alike, NHWC. Equals ts_depthwise_conv_2d_s8 (and so TFLM's
 * reference_integer_ops::DepthwiseConvPerChannel) byte for byte, for right shifts only. The output is written in
 * ascending order. */
#ifndef TS_KERNELS_MVE_DEPTHWISE_LANES_H
#define TS_KERNELS_MVE_DEPTHWISE_LANES_H

#include "../common/window.h"
#include "matmul.h"

typedef struct {
    const int8_t *weights;  /* [filter_height, filter_width, channels] */
    const int32_t *requant; /* see matmul.h; the input's zero point is not in the bias */
    int32_t batches, channels;
    int32_t input_height, input_width;
    int32_t filter_height, filter_width;
    int32_t output_height, output_width;
    int32_t stride_height, stride_width, dilation_height, dilation_width;
    int32_t pad_top, pad_left;
    int32_t input_zero_point;
    ts_mve_output output;
} ts_mve_depthwise_lanes_params;

/* Four channels of one pixel from its taps inside the image. */
TS_MVE_INLINE int32x4_t ts_mve_lanes_sum(const ts_mve_depthwise_lanes_params *p, const int8_t *input,
                                         const int8_t *weights, int32_t rows, int32_t columns, mve_pred16_t lanes,
                                         int32x4_t sum)
{
    const int32_t step = p->dilation_width * p->channels;
    const int32_t next_row = p->dilation_height * p->input_width * p->channels - columns * step;
    const int32_t next_weights = (p->filter_width - columns) * p->channels;
    for (int32_t row = 0; row < rows; ++row) {
        for (int32_t column = 0; column < columns; ++column) {
            const int32x4_t x = vsubq_n_s32(vldrbq_z_s32(input, lanes), p->input_zero_point);
            sum = vaddq_s32(sum, vmulq_s32(x, vldrbq_z_s32(weights, lanes)));
            input += step;
            weights += p->channels;
        }
        input += next_row;
        weights += next_weights;
    }
    return sum;
}

TS_MVE_KERNEL void ts_mve_depthwise_lanes(const ts_mve_depthwise_lanes_params *p, const int8_t *input, int8_t *output)
{
    const int32_t exact_ties = p->output.activation_min < p->output.zero_point;
    const int32_t row_bytes = p->input_width * p->channels;
    for (int32_t batch = 0; batch < p->batches; ++batch) {
        for (int32_t y = 0; y < p->output_height; ++y) {
            const int32_t top = y * p->stride_height - p->pad_top;
            const ts_taps rows = ts_taps_inside(top, p->input_height, p->filter_height, p->dilation_height);
            for (int32_t x = 0; x < p->output_width; ++x) {
                const int32_t left = x * p->stride_width - p->pad_left;
                const ts_taps columns = ts_taps_inside(left, p->input_width, p->filter_width, p->dilation_width);
                const int8_t *from = input + (top + rows.begin * p->dilation_height) * row_bytes +
                                     (left + columns.begin * p->dilation_width) * p->channels;
                const int8_t *weights = p->weights + (rows.begin * p->filter_width + columns.begin) * p->channels;
                const int32_t *requant = p->requant;
                for (int32_t channel = 0; channel < p->channels; channel += 4) {
                    const mve_pred16_t lanes = vctp32q((uint32_t)(p->channels - channel));
                    const int32x4_t sum = ts_mve_lanes_sum(p, from + channel, weights + channel, rows.end - rows.begin,
                                                           columns.end - columns.begin, lanes, vldrwq_s32(requant));
                    ts_mve_store4(sum, vldrwq_s32(requant + 4), vldrwq_s32(requant + 8), p->output, exact_ties, lanes,
                                  output + channel);
                    requant += TS_MVE_REQUANT4;
                }
                output += p->channels;
            }
        }
        input += p->input_height * row_bytes;
    }
}

#endif
