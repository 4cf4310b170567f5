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
#include "common/layer.h"
#include "common/window.h"

typedef struct {
    ts_sliding_window window;
    int32_t filter_channels, filters_per_group, output_channels;
    ts_layer_s8 layer;
} ts_conv_2d_s8_params;

/* int8, equal to TFLM's reference_integer_ops::ConvPerChannel. Four filters of a group at a time. */
static inline void ts_conv_2d_s8(const ts_conv_2d_s8_params *p, const int8_t *input, int8_t *output)
{
    const int32_t row_bytes = p->window.input_width * p->window.input_channels;
    const int32_t filter_bytes = p->window.filter_height * p->window.filter_width * p->filter_channels;
    /* Neighbouring taps of an undilated, ungrouped row are neighbours in memory on both sides: one long run. */
    const int contiguous = p->window.dilation_width == 1 && p->filter_channels == p->window.input_channels;

    for (int32_t b = 0; b < p->window.batches; b++, input += p->window.input_height * row_bytes) {
        for (int32_t oy = 0; oy < p->window.output_height; oy++) {
            const int32_t y0 = ts_window_top(&p->window, oy);
            const ts_taps rows = ts_window_rows(&p->window, y0);
            for (int32_t ox = 0; ox < p->window.output_width; ox++) {
                const int32_t x0 = ts_window_left(&p->window, ox);
                const ts_taps columns = ts_window_columns(&p->window, x0);
                const int32_t inside = columns.end - columns.begin;
                const int32_t runs = contiguous ? (inside > 0) : inside;
                const int32_t run = contiguous ? inside * p->filter_channels : p->filter_channels;
                const int8_t *filter = p->layer.weights;
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
                        const int8_t *in = input + (y0 + fy * p->window.dilation_height) * row_bytes +
                                           (x0 + columns.begin * p->window.dilation_width) * p->window.input_channels +
                                           group_offset;
                        const int8_t *w = filter + (fy * p->window.filter_width + columns.begin) * p->filter_channels;
                        for (int32_t r = 0; r < runs; r++) {
                            ts_add_four_rows_s8(sums, w, places, in, p->layer.input_offset, run);
                            in += p->window.dilation_width * p->window.input_channels;
                            w += run;
                        }
                    }
                    for (int32_t c = 0; c < count; c++) {
                        *output++ = ts_layer_output_s8(&p->layer, oc + c, sums[c]);
                    }
                }
            }
        }
    }
}

/* As above without offsets: 16-bit activations are symmetric. */
typedef struct {
    ts_sliding_window window;
    int32_t filter_channels, filters_per_group, output_channels;
    ts_layer_s16 layer;
    bool narrow_sums;
    bool short_sums; /* no sum of products leaves 32 bits */
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
    const int32_t row_elements = p->window.input_width * p->window.input_channels;
    const int contiguous = p->window.dilation_width == 1 && p->filter_channels == p->window.input_channels;

    for (int32_t b = 0; b < p->window.batches; b++, input += p->window.input_height * row_elements) {
        for (int32_t oy = 0; oy < p->window.output_height; oy++) {
            const int32_t y0 = ts_window_top(&p->window, oy);
            const ts_taps rows = ts_window_rows(&p->window, y0);
            for (int32_t ox = 0; ox < p->window.output_width; ox++) {
                const int32_t x0 = ts_window_left(&p->window, ox);
                const ts_taps columns = ts_window_columns(&p->window, x0);
                const int32_t inside = columns.end - columns.begin;
                const int32_t runs = contiguous ? (inside > 0) : inside;
                const int32_t run = contiguous ? inside * p->filter_channels : p->filter_channels;
                for (int32_t oc = 0; oc < p->output_channels; oc++) {
                    const int32_t group_offset = oc / p->filters_per_group * p->filter_channels;
                    int64_t sum = 0;
                    for (int32_t fy = rows.begin; fy < rows.end; fy++) {
                        const int16_t *row =
                            input + (y0 + fy * p->window.dilation_height) * row_elements + group_offset;
                        const int8_t *w =
                            p->layer.weights +
                            ((oc * p->window.filter_height + fy) * p->window.filter_width + columns.begin) *
                                p->filter_channels;
                        const int16_t *in =
                            row + (x0 + columns.begin * p->window.dilation_width) * p->window.input_channels;
                        for (int32_t r = 0; r < runs; r++) {
                            if (p->short_sums) {
                                sum += ts_conv_2d_dot_s16(in, w, run);
                            } else {
                                for (int32_t i = 0; i < run; i++) {
                                    sum += w[i] * in[i];
                                }
                            }
                            in += p->window.dilation_width * p->window.input_channels;
                            w += run;
                        }
                    }
                    *output++ = ts_layer_output_s16(&p->layer, p->narrow_sums, oc, sum);
                }
            }
        }
    }
}

typedef struct {
    ts_sliding_window window;
    int32_t filter_channels, filters_per_group, output_channels;
    ts_layer_f32 layer;
} ts_conv_2d_f32_params;

/* float32, the sums in the order of TFLM's reference_ops::Conv. */
static inline void ts_conv_2d_f32(const ts_conv_2d_f32_params *p, const float *input, float *output)
{
    const int32_t row_elements = p->window.input_width * p->window.input_channels;

    for (int32_t b = 0; b < p->window.batches; b++, input += p->window.input_height * row_elements) {
        for (int32_t oy = 0; oy < p->window.output_height; oy++) {
            const int32_t y0 = ts_window_top(&p->window, oy);
            const ts_taps rows = ts_window_rows(&p->window, y0);
            for (int32_t ox = 0; ox < p->window.output_width; ox++) {
                const int32_t x0 = ts_window_left(&p->window, ox);
                const ts_taps columns = ts_window_columns(&p->window, x0);
                for (int32_t oc = 0; oc < p->output_channels; oc++) {
                    const int32_t group_offset = oc / p->filters_per_group * p->filter_channels;
                    float sum = 0.0f;
                    for (int32_t fy = rows.begin; fy < rows.end; fy++) {
                        const float *row = input + (y0 + fy * p->window.dilation_height) * row_elements + group_offset;
                        const float *w =
                            p->layer.weights +
                            ((oc * p->window.filter_height + fy) * p->window.filter_width + columns.begin) *
                                p->filter_channels;
                        for (int32_t fx = columns.begin; fx < columns.end; fx++, w += p->filter_channels) {
                            const float *in = row + (x0 + fx * p->window.dilation_width) * p->window.input_channels;
                            for (int32_t i = 0; i < p->filter_channels; i++) {
                                sum = ts_add_product(sum, w[i], in[i]);
                            }
                        }
                    }
                    *output++ = ts_layer_output_f32(&p->layer, oc, sum);
                }
            }
        }
    }
}

TS_COMPUTED_OPERANDS(ts_conv_2d_s8, int8_t, int8_t, int32_t)
TS_COMPUTED_OPERANDS(ts_conv_2d_s16, int16_t, int8_t, void)
TS_COMPUTED_OPERANDS(ts_conv_2d_f32, float, float, float)

#endif
