/* SPDX-License-Identifier: Apache-2.0 */
/* TRANSPOSE_CONV. Input [batches][height][width][input channels], weights [output channels][height][width][input
 * channels], output [batches][height][width][output channels]. Input pixel (y, x) contributes to the output pixels
 * (y * stride - pad + tap, ...); here each output pixel collects its contributions, so no scratch memory is needed. */
#ifndef TS_TRANSPOSE_CONV_H
#define TS_TRANSPOSE_CONV_H

#include <stddef.h>
#include <stdint.h>

#include "common/fixed_point.h"
#include "common/float_sum.h"
#include "common/layer.h"
#include "common/window.h"

/* The input position that reaches an output position through a tap, or -1. */
static inline int32_t ts_transpose_conv_source(int32_t position, int32_t tap, int32_t stride, int32_t extent)
{
    const int32_t scaled = position - tap;
    if (scaled < 0 || scaled % stride != 0 || scaled / stride >= extent) {
        return -1;
    }
    return scaled / stride;
}

/* *output++ = OUTPUT(channel, sum) for every output pixel and channel; W is the weights' type, A that of sums, to which
 * ADD(sum, weight, value) adds. */
#define TS_TRANSPOSE_CONV_FOR_EACH(T, W, A, ADD, OUTPUT)                                                               \
    const ts_sliding_window *const window = &p->window;                                                                \
    const int32_t channels = window->input_channels, row_elements = window->input_width * channels;                    \
    for (int32_t b = 0; b < window->batches; b++, input += window->input_height * row_elements) {                      \
        for (int32_t oy = 0; oy < window->output_height; oy++) {                                                       \
            for (int32_t ox = 0; ox < window->output_width; ox++) {                                                    \
                const W *w = p->layer.weights;                                                                         \
                for (int32_t oc = 0; oc < p->output_channels; oc++) {                                                  \
                    A sum = 0;                                                                                         \
                    for (int32_t fy = 0; fy < window->filter_height; fy++) {                                           \
                        const int32_t y = ts_transpose_conv_source(oy + window->pad_top, fy, window->stride_height,    \
                                                                   window->input_height);                              \
                        for (int32_t fx = 0; fx < window->filter_width; fx++, w += channels) {                         \
                            const int32_t x = ts_transpose_conv_source(ox + window->pad_left, fx,                      \
                                                                       window->stride_width, window->input_width);     \
                            if (y < 0 || x < 0) {                                                                      \
                                continue;                                                                              \
                            }                                                                                          \
                            const T *in = input + y * row_elements + x * channels;                                     \
                            for (int32_t i = 0; i < channels; i++) {                                                   \
                                sum = ADD(sum, w[i], in[i]);                                                           \
                            }                                                                                          \
                        }                                                                                              \
                    }                                                                                                  \
                    *output++ = OUTPUT(oc, sum);                                                                       \
                }                                                                                                      \
            }                                                                                                          \
        }                                                                                                              \
    }

typedef struct {
    ts_sliding_window window; /* undilated */
    int32_t output_channels;
    ts_layer_s8 layer;
} ts_transpose_conv_s8_params;

#define TS_TRANSPOSE_CONV_ADD_S8(sum, weight, value) ((sum) + (weight) * ((value) + p->layer.input_offset))
#define TS_TRANSPOSE_CONV_OUTPUT_S8(channel, sum) ts_layer_output_s8(&p->layer, channel, sum)

/* int8, equal to TFLM's reference_integer_ops::TransposeConv. */
static inline void ts_transpose_conv_s8(const ts_transpose_conv_s8_params *p, const int8_t *input, int8_t *output)
{
    TS_TRANSPOSE_CONV_FOR_EACH(int8_t, int8_t, int32_t, TS_TRANSPOSE_CONV_ADD_S8, TS_TRANSPOSE_CONV_OUTPUT_S8)
}

typedef struct {
    ts_sliding_window window; /* undilated */
    int32_t output_channels;
    ts_layer_s16 layer;
    const int16_t *short_bias; /* instead of the layer's, where it is computed at run time */
} ts_transpose_conv_s16_params;

#define TS_TRANSPOSE_CONV_ADD_S16(sum, weight, value) ((sum) + (weight) * (value))
#define TS_TRANSPOSE_CONV_OUTPUT_S16(channel, sum)                                                                     \
    ts_layer_output_s16(&p->layer, false, channel, (sum) + (p->short_bias != NULL ? p->short_bias[channel] : 0))

/* int16 activations, int8 weights, int64 sums: TFLM's reference_integer_ops::TransposeConv. */
static inline void ts_transpose_conv_s16(const ts_transpose_conv_s16_params *p, const int16_t *input, int16_t *output)
{
    TS_TRANSPOSE_CONV_FOR_EACH(int16_t, int8_t, int64_t, TS_TRANSPOSE_CONV_ADD_S16, TS_TRANSPOSE_CONV_OUTPUT_S16)
}

typedef struct {
    ts_sliding_window window; /* undilated */
    int32_t output_channels;
    ts_layer_f32 layer;
} ts_transpose_conv_f32_params;

#define TS_TRANSPOSE_CONV_OUTPUT_F32(channel, sum) ts_layer_output_f32(&p->layer, channel, sum)

/* float32; the order of the sums differs from TFLM's reference_ops::TransposeConv. */
static inline void ts_transpose_conv_f32(const ts_transpose_conv_f32_params *p, const float *input, float *output){
    TS_TRANSPOSE_CONV_FOR_EACH(float, float, float, ts_add_product, TS_TRANSPOSE_CONV_OUTPUT_F32)}

TS_COMPUTED_OPERANDS(ts_transpose_conv_s8, int8_t, int8_t, int32_t)
    TS_COMPUTED_OPERANDS(ts_transpose_conv_s16, int16_t, int8_t, int64_t)
        TS_COMPUTED_OPERANDS(ts_transpose_conv_f32, float, float, float)

            static inline void ts_transpose_conv_s16_short_computed(const ts_transpose_conv_s16_params *p,
                                                                    const int16_t *input, const int8_t *weights,
                                                                    const int16_t *bias, int16_t *output)
{
    ts_transpose_conv_s16_params with = *p;
    with.layer.weights = weights;
    with.short_bias = bias;
    ts_transpose_conv_s16(&with, input, output);
}

#undef TS_TRANSPOSE_CONV_FOR_EACH
#undef TS_TRANSPOSE_CONV_ADD_S8
#undef TS_TRANSPOSE_CONV_OUTPUT_S8
#undef TS_TRANSPOSE_CONV_ADD_S16
#undef TS_TRANSPOSE_CONV_OUTPUT_S16
#undef TS_TRANSPOSE_CONV_OUTPUT_F32

#endif
