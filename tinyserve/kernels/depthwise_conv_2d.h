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
#include "common/layer.h"
#include "common/window.h"

typedef struct {
    ts_sliding_window window;
    int32_t depth_multiplier;
    ts_layer_s8 layer;
} ts_depthwise_conv_2d_s8_params;

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
    const int32_t output_channels = p->window.input_channels * p->depth_multiplier;
    const int32_t input_row = p->window.input_width * p->window.input_channels;
    const int32_t filter_row = p->window.filter_width * output_channels;
    const int32_t tap_step = p->window.dilation_width * p->window.input_channels;
    const int32_t in_fours = p->depth_multiplier == 1 || p->depth_multiplier % 4 == 0;

    for (int32_t b = 0; b < p->window.batches; b++, input += p->window.input_height * input_row) {
        for (int32_t oy = 0; oy < p->window.output_height; oy++) {
            const int32_t y0 = ts_window_top(&p->window, oy);
            const ts_taps rows = ts_window_rows(&p->window, y0);
            for (int32_t ox = 0; ox < p->window.output_width; ox++) {
                const int32_t x0 = ts_window_left(&p->window, ox);
                const ts_taps columns = ts_window_columns(&p->window, x0);
                const ts_depthwise_row row = {columns.end - columns.begin, tap_step, output_channels,
                                              p->layer.input_offset, p->depth_multiplier == 1};
                const int8_t *const from = input + x0 * p->window.input_channels + columns.begin * tap_step;
                const int8_t *const weights = p->layer.weights + columns.begin * output_channels;
                int32_t count;
                for (int32_t oc = 0; oc < output_channels; oc += count) {
                    const int32_t ic = p->depth_multiplier == 1 ? oc : oc / p->depth_multiplier;
                    int32_t sums[4] = {0, 0, 0, 0};
                    count = in_fours && output_channels - oc >= 4 ? 4 : 1;
                    for (int32_t fy = rows.begin; fy < rows.end; fy++) {
                        const int8_t *in = from + (y0 + fy * p->window.dilation_height) * input_row + ic;
                        const int8_t *w = weights + fy * filter_row + oc;
                        if (count == 4) {
                            ts_depthwise_add_four(sums, &row, in, w);
                        } else {
                            sums[0] = ts_depthwise_add_one(sums[0], &row, in, w);
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

/* *output++ = OUTPUT(channel, sum) for every output pixel and channel, one at a time; W is the weights' type, A that of
 * sums, to which ADD(sum, weight, value) adds. */
#define TS_DEPTHWISE_CONV_2D_FOR_EACH(T, W, A, ADD, OUTPUT)                                                            \
    const int32_t output_channels = p->window.input_channels * p->depth_multiplier;                                    \
    const int32_t input_row = p->window.input_width * p->window.input_channels;                                        \
    for (int32_t b = 0; b < p->window.batches; b++, input += p->window.input_height * input_row) {                     \
        for (int32_t oy = 0; oy < p->window.output_height; oy++) {                                                     \
            const int32_t y0 = ts_window_top(&p->window, oy);                                                          \
            const ts_taps rows = ts_window_rows(&p->window, y0);                                                       \
            for (int32_t ox = 0; ox < p->window.output_width; ox++) {                                                  \
                const int32_t x0 = ts_window_left(&p->window, ox);                                                     \
                const ts_taps columns = ts_window_columns(&p->window, x0);                                             \
                for (int32_t oc = 0; oc < output_channels; oc++) {                                                     \
                    A sum = 0;                                                                                         \
                    for (int32_t fy = rows.begin; fy < rows.end; fy++) {                                               \
                        const T *in =                                                                                  \
                            input + (y0 + fy * p->window.dilation_height) * input_row + oc / p->depth_multiplier;      \
                        const W *w = p->layer.weights + fy * p->window.filter_width * output_channels + oc;            \
                        for (int32_t fx = columns.begin; fx < columns.end; fx++) {                                     \
                            const int32_t x = x0 + fx * p->window.dilation_width;                                      \
                            sum = ADD(sum, w[fx * output_channels], in[x * p->window.input_channels]);                 \
                        }                                                                                              \
                    }                                                                                                  \
                    *output++ = OUTPUT(oc, sum);                                                                       \
                }                                                                                                      \
            }                                                                                                          \
        }                                                                                                              \
    }

/* As above without offsets: 16-bit activations are symmetric. */
typedef struct {
    ts_sliding_window window;
    int32_t depth_multiplier;
    ts_layer_s16 layer;
} ts_depthwise_conv_2d_s16_params;

#define TS_DEPTHWISE_CONV_2D_ADD_S16(sum, weight, value) ((sum) + (weight) * (value))
#define TS_DEPTHWISE_CONV_2D_OUTPUT_S16(channel, sum) ts_layer_output_s16(&p->layer, false, channel, sum)

/* int16 activations, int8 weights, int64 accumulator: TFLM's reference_integer_ops::DepthwiseConvPerChannel. */
static inline void ts_depthwise_conv_2d_s16(const ts_depthwise_conv_2d_s16_params *p, const int16_t *input,
                                            int16_t *output)
{
    TS_DEPTHWISE_CONV_2D_FOR_EACH(int16_t, int8_t, int64_t, TS_DEPTHWISE_CONV_2D_ADD_S16,
                                  TS_DEPTHWISE_CONV_2D_OUTPUT_S16)
}

typedef struct {
    ts_sliding_window window;
    int32_t depth_multiplier;
    ts_layer_f32 layer;
} ts_depthwise_conv_2d_f32_params;

#define TS_DEPTHWISE_CONV_2D_OUTPUT_F32(channel, sum) ts_layer_output_f32(&p->layer, channel, sum)

/* float32, the sums in the order of TFLM's reference_ops::DepthwiseConv. */
static inline void ts_depthwise_conv_2d_f32(const ts_depthwise_conv_2d_f32_params *p, const float *input,
                                            float *output){
    TS_DEPTHWISE_CONV_2D_FOR_EACH(float, float, float, ts_add_product, TS_DEPTHWISE_CONV_2D_OUTPUT_F32)}

TS_COMPUTED_OPERANDS(ts_depthwise_conv_2d_s8, int8_t, int8_t, int32_t)
    TS_COMPUTED_OPERANDS(ts_depthwise_conv_2d_s16, int16_t, int8_t, int64_t)
        TS_COMPUTED_OPERANDS(ts_depthwise_conv_2d_f32, float, float, float)

#undef TS_DEPTHWISE_CONV_2D_FOR_EACH
#undef TS_DEPTHWISE_CONV_2D_ADD_S16
#undef TS_DEPTHWISE_CONV_2D_OUTPUT_S16
#undef TS_DEPTHWISE_CONV_2D_OUTPUT_F32

#endif
