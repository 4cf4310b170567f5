/* SPDX-License-Identifier: Apache-2.0 */
/* CONV_2D. Input [batches][height][width][channels], weights [output channels][height][width][channels of one group],
 * output [batches][height][width][output channels]. Padding is never read: taps outside the image are left out.
 *
 * Groups: input_channels / filter_channels groups, each feeding filters_per_group consecutive output channels. */
#ifndef TS_CONV_2D_H
#define TS_CONV_2D_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/compiler.h"
#include "common/fixed_point.h"
#include "common/float_sum.h"
#include "common/four_rows.h"
#include "common/operands.h"
#include "common/params.h"
#include "common/sum_s16.h"
#include "common/window.h"

/* What the parameters of all types say of the layer. */
#define TS_CONV_2D_FIELDS                                                                                              \
    int32_t batches;                                                                                                   \
    int32_t input_height, input_width, input_channels;                                                                 \
    int32_t filter_height, filter_width, filter_channels, filters_per_group;                                           \
    int32_t output_height, output_width, output_channels;                                                              \
    int32_t stride_height, stride_width, dilation_height, dilation_width, pad_top, pad_left;

/* multiplier_step is 1 for a multiplier and shift per output channel, 0 for one of each. bias may be NULL. */
typedef struct {
    TS_CONV_2D_FIELDS
    int32_t input_offset, output_offset;
    TS_ACTIVATION_FIELDS(int32_t)
    const int8_t *weights;
    const int32_t *bias;
    TS_REQUANTIZATION_FIELDS
} ts_conv_2d_s8_params;

static inline int8_t ts_conv_2d_output_s8(const ts_conv_2d_s8_params *p, int32_t channel, int32_t sum)
{
    if (p->bias != NULL) {
        sum = ts_wrap_add(sum, p->bias[channel]);
    }
    const int32_t m = channel * p->multiplier_step;
    sum = ts_wrap_add(ts_requantize(sum, p->multipliers[m], p->shifts[m]), p->output_offset);
    return (int8_t)ts_clamp(sum, p->activation_min, p->activation_max);
}

/* int8, equal to TFLM's reference_integer_ops::ConvPerChannel. Four filters of a group at a time. */
static inline void ts_conv_2d_s8(const ts_conv_2d_s8_params *p, const int8_t *input, int8_t *output)
{
    const int32_t row_bytes = p->input_width * p->input_channels;
    const int32_t filter_bytes = p->filter_height * p->filter_width * p->filter_channels;
    /* Neighbouring taps of an undilated, ungrouped row are neighbours in memory on both sides: one long run. */
    const int contiguous = p->dilation_width == 1 && p->filter_channels == p->input_channels;

    for (int32_t b = 0; b < p->batches; b++, input += p->input_height * row_bytes) {
        for (int32_t oy = 0; oy < p->output_height; oy++) {
            const int32_t y0 = oy * p->stride_height - p->pad_top;
            const ts_taps rows = ts_taps_inside(y0, p->input_height, p->filter_height, p->dilation_height);
            for (int32_t ox = 0; ox < p->output_width; ox++) {
                const int32_t x0 = ox * p->stride_width - p->pad_left;
                const ts_taps columns = ts_taps_inside(x0, p->input_width, p->filter_width, p->dilation_width);
                const int32_t inside = columns.end - columns.begin;
                const int32_t runs = contiguous ? (inside > 0) : inside;
                const int32_t run = contiguous ? inside * p->filter_channels : p->filter_channels;
                const int8_t *filter = p->weights;
                int32_t group_left = p->filters_per_group, group_offset = 0, count;
                for (int32_t oc = 0; oc < p->output_channels; oc += count, filter += count * filter_bytes) {
                    if (group_left == 0) {
                        group_left = p->filters_per_group;
                        group_offset += p->filter_channels;
                    }
                    count = ts_min(TS_ROWS, group_left);
                    group_left -= count;
                    const ts_row_places places = ts_four_rows(count, filter_bytes);
                    int32_t sums[TS_ROWS] = {0, 0, 0, 0};
                    for (int32_t fy = rows.begin; fy < rows.end; fy++) {
                        const int8_t *in = input + (y0 + fy * p->dilation_height) * row_bytes +
                                           (x0 + columns.begin * p->dilation_width) * p->input_channels + group_offset;
                        const int8_t *w = filter + (fy * p->filter_width + columns.begin) * p->filter_channels;
                        for (int32_t r = 0; r < runs; r++) {
                            ts_add_four_rows_s8(sums, w, places, in, p->input_offset, run);
                            in += p->dilation_width * p->input_channels;
                            w += run;
                        }
                    }
                    for (int32_t c = 0; c < count; c++) {
                        *output++ = ts_conv_2d_output_s8(p, oc + c, sums[c]);
                    }
                }
            }
        }
    }
}

/* As above without offsets: 16-bit activations are symmetric. */
typedef struct {
    TS_CONV_2D_FIELDS
    TS_ACTIVATION_FIELDS(int32_t)
    const int8_t *weights;
    const void *bias; /* int64_t, or int32_t with narrow_sums */
    bool narrow_sums;
    bool short_sums; /* no sum of products leaves 32 bits */
    TS_REQUANTIZATION_FIELDS
} ts_conv_2d_s16_params;

/* A run of taps, as a function of its own, so that its few values stay in registers. */
TS_NOINLINE TS_MAYBE_UNUSED static int32_t ts_conv_2d_dot_s16(const int16_t *input, const int8_t *weights,
                                                              int32_t count)
{
    int32_t sum = 0;
    for (; count >= 4; count -= 4) {
        sum += weights[0] * input[0] + weights[1] * input[1] + weights[2] * input[2] + weights[3] * input[3];
        input += 4;
        weights += 4;
    }
    for (; count > 0; count--) {
        sum += *weights++ * *input++;
    }
    return sum;
}

/* int16 activations, int8 weights, equal to TFLM's reference_integer_ops::ConvPerChannel<int64_t>, or <int32_t>. */
static inline void ts_conv_2d_s16(const ts_conv_2d_s16_params *p, const int16_t *input, int16_t *output)
{
    const int32_t row_elements = p->input_width * p->input_channels;
    const int contiguous = p->dilation_width == 1 && p->filter_channels == p->input_channels;

    for (int32_t b = 0; b < p->batches; b++, input += p->input_height * row_elements) {
        for (int32_t oy = 0; oy < p->output_height; oy++) {
            const int32_t y0 = oy * p->stride_height - p->pad_top;
            const ts_taps rows = ts_taps_inside(y0, p->input_height, p->filter_height, p->dilation_height);
            for (int32_t ox = 0; ox < p->output_width; ox++) {
                const int32_t x0 = ox * p->stride_width - p->pad_left;
                const ts_taps columns = ts_taps_inside(x0, p->input_width, p->filter_width, p->dilation_width);
                const int32_t inside = columns.end - columns.begin;
                const int32_t runs = contiguous ? (inside > 0) : inside;
                const int32_t run = contiguous ? inside * p->filter_channels : p->filter_channels;
                for (int32_t oc = 0; oc < p->output_channels; oc++) {
                    const int32_t group_offset = oc / p->filters_per_group * p->filter_channels;
                    int64_t sum = 0;
                    for (int32_t fy = rows.begin; fy < rows.end; fy++) {
                        const int16_t *row = input + (y0 + fy * p->dilation_height) * row_elements + group_offset;
                        const int8_t *w =
                            p->weights +
                            ((oc * p->filter_height + fy) * p->filter_width + columns.begin) * p->filter_channels;
                        const int16_t *in = row + (x0 + columns.begin * p->dilation_width) * p->input_channels;
                        for (int32_t r = 0; r < runs; r++) {
                            if (p->short_sums) {
                                sum += ts_conv_2d_dot_s16(in, w, run);
                            } else {
                                for (int32_t i = 0; i < run; i++) {
                                    sum += w[i] * in[i];
                                }
                            }
                            in += p->dilation_width * p->input_channels;
                            w += run;
                        }
                    }
                    const int32_t m = oc * p->multiplier_step;
                    const int32_t scaled =
                        ts_scaled_sum_s16(sum, p->bias, p->narrow_sums, oc, p->multipliers[m], p->shifts[m]);
                    *output++ = (int16_t)ts_clamp(scaled, p->activation_min, p->activation_max);
                }
            }
        }
    }
}

typedef struct {
    TS_CONV_2D_FIELDS
    TS_ACTIVATION_FIELDS(float)
    const float *weights;
    const float *bias;
} ts_conv_2d_f32_params;

/* float32, the sums in the order of TFLM's reference_ops::Conv. */
static inline void ts_conv_2d_f32(const ts_conv_2d_f32_params *p, const float *input, float *output)
{
    const int32_t row_elements = p->input_width * p->input_channels;

    for (int32_t b = 0; b < p->batches; b++, input += p->input_height * row_elements) {
        for (int32_t oy = 0; oy < p->output_height; oy++) {
            const int32_t y0 = oy * p->stride_height - p->pad_top;
            const ts_taps rows = ts_taps_inside(y0, p->input_height, p->filter_height, p->dilation_height);
            for (int32_t ox = 0; ox < p->output_width; ox++) {
                const int32_t x0 = ox * p->stride_width - p->pad_left;
                const ts_taps columns = ts_taps_inside(x0, p->input_width, p->filter_width, p->dilation_width);
                for (int32_t oc = 0; oc < p->output_channels; oc++) {
                    const int32_t group_offset = oc / p->filters_per_group * p->filter_channels;
                    float sum = 0.0f;
                    for (int32_t fy = rows.begin; fy < rows.end; fy++) {
                        const float *row = input + (y0 + fy * p->dilation_height) * row_elements + group_offset;
                        const float *w = p->weights + ((oc * p->filter_height + fy) * p->filter_width + columns.begin) *
                                                          p->filter_channels;
                        for (int32_t fx = columns.begin; fx < columns.end; fx++, w += p->filter_channels) {
                            const float *in = row + (x0 + fx * p->dilation_width) * p->input_channels;
                            for (int32_t i = 0; i < p->filter_channels; i++) {
                                sum = ts_add_product(sum, w[i], in[i]);
                            }
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

TS_COMPUTED_OPERANDS(ts_conv_2d_s8, int8_t, int8_t, int32_t)
TS_COMPUTED_OPERANDS(ts_conv_2d_s16, int16_t, int8_t, void)
TS_COMPUTED_OPERANDS(ts_conv_2d_f32, float, float, float)

#endif
