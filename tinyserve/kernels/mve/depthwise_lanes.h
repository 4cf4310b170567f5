/* SPDX-License-Identifier: Apache-2.0 */
/* DEPTHWISE_CONV_2D, int8, for Helium: four output channels side by side, tap by tap.
 *
 * For layers of few output pixels or taps, where gathering a plane per channel does not pay. Input [batches, height,
 * width, channels], output alike with depth_multiplier times the channels, NHWC. Equals ts_depthwise_conv_2d_s8 (and so
 * TFLM's reference_integer_ops::DepthwiseConvPerChannel) byte for byte, for right shifts only. The output is written in
 * ascending order. */
#ifndef TS_KERNELS_MVE_DEPTHWISE_LANES_H
#define TS_KERNELS_MVE_DEPTHWISE_LANES_H

#include "../common/window.h"
#include "matmul.h"

typedef struct {
    const int8_t *weights;  /* [filter_height, filter_width, output channels] */
    const int32_t *requant; /* see matmul.h; the input's zero point is not in the bias */
    ts_sliding_window window;
    int32_t depth_multiplier; /* its product with the output channels is below 2^16 */
    int32_t input_zero_point;
    ts_mve_output output;
} ts_mve_depthwise_lanes_params;

/* Four output channels and the input channels that they read. */
typedef struct {
    int32_t first;
    uint32x4_t inputs; /* where several read the same */
    mve_pred16_t lanes;
} ts_mve_four_channels;

TS_MVE_INLINE ts_mve_four_channels ts_mve_four_channels_from(int32_t first, int32_t channels, int32_t multiplier)
{
    const uint32_t reciprocal = (0xffff + (uint32_t)multiplier) / (uint32_t)multiplier;
    const uint32x4_t outputs = vidupq_n_u32((uint32_t)first, 1);
    return (ts_mve_four_channels){first, vshrq_n_u32(vmulq_n_u32(outputs, reciprocal), 16),
                                  vctp32q((uint32_t)(channels - first))};
}

/* One pixel from its taps inside the image; the first is at `input` and `weights`. */
TS_MVE_INLINE int32x4_t ts_mve_lanes_sum(const ts_mve_depthwise_lanes_params *p, const int8_t *input,
                                         const int8_t *weights, int32_t rows, int32_t columns, ts_mve_four_channels at,
                                         int32x4_t sum)
{
    const int32_t outputs = p->window.input_channels * p->depth_multiplier;
    const int32_t step = p->window.dilation_width * p->window.input_channels;
    const int32_t next_row =
        p->window.dilation_height * p->window.input_width * p->window.input_channels - columns * step;
    const int32_t next_weights = (p->window.filter_width - columns) * outputs;
    weights += at.first;
    for (int32_t row = 0; row < rows; ++row) {
        for (int32_t column = 0; column < columns; ++column) {
            const int32x4_t values = p->depth_multiplier == 1 ? vldrbq_z_s32(input + at.first, at.lanes)
                                                              : vldrbq_gather_offset_z_s32(input, at.inputs, at.lanes);
            const int32x4_t x = vsubq_n_s32(values, p->input_zero_point);
            sum = vaddq_s32(sum, vmulq_s32(x, vldrbq_z_s32(weights, at.lanes)));
            input += step;
            weights += outputs;
        }
        input += next_row;
        weights += next_weights;
    }
    return sum;
}

TS_MVE_KERNEL void ts_mve_depthwise_lanes(const ts_mve_depthwise_lanes_params *p, const int8_t *input, int8_t *output)
{
    const int32_t exact_ties = p->output.activation.min < p->output.zero_point;
    const int32_t row_bytes = p->window.input_width * p->window.input_channels;
    const int32_t channels = p->window.input_channels * p->depth_multiplier;
    for (int32_t batch = 0; batch < p->window.batches; ++batch) {
        for (int32_t y = 0; y < p->window.output_height; ++y) {
            const int32_t top = ts_window_top(&p->window, y);
            const ts_taps rows = ts_window_rows(&p->window, top);
            for (int32_t x = 0; x < p->window.output_width; ++x) {
                const int32_t left = ts_window_left(&p->window, x);
                const ts_taps columns = ts_window_columns(&p->window, left);
                const int8_t *from = input + (top + rows.begin * p->window.dilation_height) * row_bytes +
                                     (left + columns.begin * p->window.dilation_width) * p->window.input_channels;
                const int8_t *weights = p->weights + (rows.begin * p->window.filter_width + columns.begin) * channels;
                const int32_t *requant = p->requant;
                for (int32_t channel = 0; channel < channels; channel += 4) {
                    const ts_mve_four_channels at = ts_mve_four_channels_from(channel, channels, p->depth_multiplier);
                    const int32x4_t sum = ts_mve_lanes_sum(p, from, weights, rows.end - rows.begin,
                                                           columns.end - columns.begin, at, vldrwq_s32(requant));
                    ts_mve_store4(sum, vldrwq_s32(requant + 4), vldrwq_s32(requant + 8), p->output, exact_ties,
                                  at.lanes, output + channel);
                    requant += TS_MVE_REQUANT4;
                }
                output += channels;
            }
        }
        input += p->window.input_height * row_bytes;
    }
}

#endif
