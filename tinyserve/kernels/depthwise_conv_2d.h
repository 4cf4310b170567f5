/* SPDX-License-Identifier: Apache-2.0 */
/* DEPTHWISE_CONV_2D. Input [batches][height][width][channels], weights [height][width][channels * depth_multiplier],
 * output [batches][height][width][channels * depth_multiplier]: output channel c * depth_multiplier + m reads input
 * channel c only. Taps outside the image are left out. */
#ifndef TS_DEPTHWISE_CONV_2D_H
#define TS_DEPTHWISE_CONV_2D_H

#include <stddef.h>
#include <stdint.h>

#include "common/fixed_point.h"
#include "common/float_sum.h"
#include "common/operands.h"
#include "common/params.h"
#include "common/window.h"

/* What the parameters of all types say of the layer. */
#define TS_DEPTHWISE_CONV_2D_FIELDS                                                                                    \
    int32_t batches;                                                                                                   \
    int32_t input_height, input_width, input_channels;                                                                 \
    int32_t filter_height, filter_width, depth_multiplier;                                                             \
    int32_t output_height, output_width;                                                                               \
    int32_t stride_height, stride_width, dilation_height, dilation_width, pad_top, pad_left;

/* multiplier_step is 1 for a multiplier and shift per output channel, 0 for one of each. bias may be NULL. */
typedef struct {
    TS_DEPTHWISE_CONV_2D_FIELDS
    int32_t input_offset, output_offset;
    TS_ACTIVATION_FIELDS(int32_t)
    const int8_t *weights;
    const int32_t *bias;
    TS_REQUANTIZATION_FIELDS
} ts_depthwise_conv_2d_s8_params;

static inline int8_t ts_depthwise_conv_2d_output_s8(const ts_depthwise_conv_2d_s8_params *p, int32_t channel,
                                                    int32_t sum)
{
    if (p->bias != NULL) {
        sum = ts_wrap_add(sum, p->bias[channel]);
    }
    const int32_t m = channel * p->multiplier_step;
    sum = ts_wrap_add(ts_requantize(sum, p->multipliers[m], p->shifts[m]), p->output_offset);
    return (int8_t)ts_clamp(sum, p->activation_min, p->activation_max);
}

/* A row of taps of four output channels; in_step is 1 where each has an input channel of its own, 0 where they share
 * it. */
typedef struct {
    int32_t taps, tap_step, output_channels, offset, in_step;
} ts_depthwise_row;

static inline void ts_depthwise_add_four(int32_t sums[4], const ts_depthwise_row *row, const int8_t *in,
                                         const int8_t *w)
{
    int32_t a = sums[0], b = sums[1], c = sums[2], d = sums[3];
    for (int32_t fx = 0; fx < row->taps; fx++, in += row->tap_step, w += row->output_channels) {
        if (row->in_step == 0) {
            const int32_t x = in[0] + row->offset;
            a += w[0] * x;
            b += w[1] * x;
            c += w[2] * x;
            d += w[3] * x;
        } else {
            a += w[0] * (in[0] + row->offset);
            b += w[1] * (in[1] + row->offset);
            c += w[2] * (in[2] + row->offset);
            d += w[3] * (in[3] + row->offset);
        }
    }
    sums[0] = a;
    sums[1] = b;
    sums[2] = c;
    sums[3] = d;
}

static inline int32_t ts_depthwise_add_one(int32_t sum, const ts_depthwise_row *row, const int8_t *in, const int8_t *w)
{
    for (int32_t fx = 0; fx < row->taps; fx++, in += row->tap_step, w += row->output_channels) {
        sum += *w * (*in + row->offset);
    }
    return sum;
}

/* int8, equal to TFLM's reference_integer_ops::DepthwiseConvPerChannel. Four output channels at a time, where they have
 * an input channel each or all the same. */
static inline void ts_depthwise_conv_2d_s8(const ts_depthwise_conv_2d_s8_params *p, const int8_t *input, int8_t *output)
{
    const int32_t output_channels = p->input_channels * p->depth_multiplier;
    const int32_t input_row = p->input_width * p->input_channels;
    const int32_t filter_row = p->filter_width * output_channels;
    const int32_t tap_step = p->dilation_width * p->input_channels;
    const int32_t in_fours = p->depth_multiplier == 1 || p->depth_multiplier % 4 == 0;

    for (int32_t b = 0; b < p->batches; b++, input += p->input_height * input_row) {
        for (int32_t oy = 0; oy < p->output_height; oy++) {
            const int32_t y0 = oy * p->stride_height - p->pad_top;
            const ts_taps rows = ts_taps_inside(y0, p->input_height, p->filter_height, p->dilation_height);
            for (int32_t ox = 0; ox < p->output_width; ox++) {
                const int32_t x0 = ox * p->stride_width - p->pad_left;
                const ts_taps columns = ts_taps_inside(x0, p->input_width, p->filter_width, p->dilation_width);
                const ts_depthwise_row row = {columns.end - columns.begin, tap_step, output_channels, p->input_offset,
                                              p->depth_multiplier == 1};
                const int8_t *const from = input + x0 * p->input_channels + columns.begin * tap_step;
                const int8_t *const weights = p->weights + columns.begin * output_channels;
                int32_t count;
                for (int32_t oc = 0; oc < output_channels; oc += count) {
                    const int32_t ic = p->depth_multiplier == 1 ? oc : oc / p->depth_multiplier;
                    int32_t sums[4] = {0, 0, 0, 0};
                    count = in_fours && output_channels - oc >= 4 ? 4 : 1;
                    for (int32_t fy = rows.begin; fy < rows.end; fy++) {
                        const int8_t *in = from + (y0 + fy * p->dilation_height) * input_row + ic;
                        const int8_t *w = weights + fy * filter_row + oc;
                        if (count == 4) {
                            ts_depthwise_add_four(sums, &row, in, w);
                        } else {
                            sums[0] = ts_depthwise_add_one(sums[0], &row, in, w);
                        }
                    }
                    for (int32_t c = 0; c < count; c++) {
                        *output++ = ts_depthwise_conv_2d_output_s8(p, oc + c, sums[c]);
                    }
                }
            }
        }
    }
}

/* As above without offsets: 16-bit activations are symmetric. */
typedef struct {
    TS_DEPTHWISE_CONV_2D_FIELDS
    TS_ACTIVATION_FIELDS(int32_t)
    const int8_t *weights;
    const int64_t *bias;
    TS_REQUANTIZATION_FIELDS
} ts_depthwise_conv_2d_s16_params;

/* int16 activations, int8 weights, int64 accumulator: TFLM's reference_integer_ops::DepthwiseConvPerChannel. */
static inline void ts_depthwise_conv_2d_s16(const ts_depthwise_conv_2d_s16_params *p, const int16_t *input,
                                            int16_t *output)
{
    const int32_t output_channels = p->input_channels * p->depth_multiplier;
    const int32_t input_row = p->input_width * p->input_channels;

    for (int32_t b = 0; b < p->batches; b++, input += p->input_height * input_row) {
        for (int32_t oy = 0; oy < p->output_height; oy++) {
            const int32_t y0 = oy * p->stride_height - p->pad_top;
            const ts_taps rows = ts_taps_inside(y0, p->input_height, p->filter_height, p->dilation_height);
            for (int32_t ox = 0; ox < p->output_width; ox++) {
                const int32_t x0 = ox * p->stride_width - p->pad_left;
                const ts_taps columns = ts_taps_inside(x0, p->input_width, p->filter_width, p->dilation_width);
                for (int32_t oc = 0; oc < output_channels; oc++) {
                    int64_t sum = 0;
                    for (int32_t fy = rows.begin; fy < rows.end; fy++) {
                        const int16_t *in =
                            input + (y0 + fy * p->dilation_height) * input_row + oc / p->depth_multiplier;
                        const int8_t *w = p->weights + fy * p->filter_width * output_channels + oc;
                        for (int32_t fx = columns.begin; fx < columns.end; fx++) {
                            sum += w[fx * output_channels] * in[(x0 + fx * p->dilation_width) * p->input_channels];
                        }
                    }
                    if (p->bias != NULL) {
                        sum = ts_wrap_add_s64(sum, p->bias[oc]);
                    }
                    const int32_t k = oc * p->multiplier_step;
                    const int32_t scaled = ts_requantize_s64(sum, p->multipliers[k], p->shifts[k]);
                    *output++ = (int16_t)ts_clamp(scaled, p->activation_min, p->activation_max);
                }
            }
        }
    }
}

typedef struct {
    TS_DEPTHWISE_CONV_2D_FIELDS
    TS_ACTIVATION_FIELDS(float)
    const float *weights;
    const float *bias;
} ts_depthwise_conv_2d_f32_params;

/* float32, the sums in the order of TFLM's reference_ops::DepthwiseConv. */
static inline void ts_depthwise_conv_2d_f32(const ts_depthwise_conv_2d_f32_params *p, const float *input, float *output)
{
    const int32_t output_channels = p->input_channels * p->depth_multiplier;
    const int32_t input_row = p->input_width * p->input_channels;

    for (int32_t b = 0; b < p->batches; b++, input += p->input_height * input_row) {
        for (int32_t oy = 0; oy < p->output_height; oy++) {
            const int32_t y0 = oy * p->stride_height - p->pad_top;
            const ts_taps rows = ts_taps_inside(y0, p->input_height, p->filter_height, p->dilation_height);
            for (int32_t ox = 0; ox < p->output_width; ox++) {
                const int32_t x0 = ox * p->stride_width - p->pad_left;
                const ts_taps columns = ts_taps_inside(x0, p->input_width, p->filter_width, p->dilation_width);
                for (int32_t oc = 0; oc < output_channels; oc++) {
                    float sum = 0.0f;
                    for (int32_t fy = rows.begin; fy < rows.end; fy++) {
                        const float *in = input + (y0 + fy * p->dilation_height) * input_row + oc / p->depth_multiplier;
                        const float *w = p->weights + fy * p->filter_width * output_channels + oc;
                        for (int32_t fx = columns.begin; fx < columns.end; fx++) {
                            const int32_t x = x0 + fx * p->dilation_width;
                            sum = ts_add_product(sum, w[fx * output_channels], in[x * p->input_channels]);
                        }
                    }
                    if (p->bias != NULL) {
                        sum += p->bias[oc];
                    }
                    sum = sum > p->activation_min ? sum : p->activation_min;
                    *output++ = sum < p->activation_max ? sum : p->activation_max;
                }
            }
        }
    }
}

TS_COMPUTED_OPERANDS(ts_depthwise_conv_2d_s8, int8_t, int8_t, int32_t)
TS_COMPUTED_OPERANDS(ts_depthwise_conv_2d_s16, int16_t, int8_t, int64_t)
TS_COMPUTED_OPERANDS(ts_depthwise_conv_2d_f32, float, float, float)

#endif
