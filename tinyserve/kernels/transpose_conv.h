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

typedef struct {
    ts_sliding_window window; /* undilated */
    int32_t output_channels;
    ts_layer_s8 layer;
} ts_transpose_conv_s8_params;

/* int8, equal to TFLM's reference_integer_ops::TransposeConv. */
static inline void ts_transpose_conv_s8(const ts_transpose_conv_s8_params *p, const int8_t *input, int8_t *output)
{
    const int32_t row_bytes = p->window.input_width * p->window.input_channels;
    for (int32_t b = 0; b < p->window.batches; b++, input += p->window.input_height * row_bytes) {
        for (int32_t oy = 0; oy < p->window.output_height; oy++) {
            for (int32_t ox = 0; ox < p->window.output_width; ox++) {
                const int8_t *w = p->layer.weights;
                for (int32_t oc = 0; oc < p->output_channels; oc++) {
                    int32_t sum = 0;
                    for (int32_t fy = 0; fy < p->window.filter_height; fy++) {
                        const int32_t y = ts_transpose_conv_source(oy + p->window.pad_top, fy, p->window.stride_height,
                                                                   p->window.input_height);
                        for (int32_t fx = 0; fx < p->window.filter_width; fx++, w += p->window.input_channels) {
                            const int32_t x = ts_transpose_conv_source(ox + p->window.pad_left, fx,
                                                                       p->window.stride_width, p->window.input_width);
                            if (y < 0 || x < 0) {
                                continue;
                            }
                            const int8_t *in = input + y * row_bytes + x * p->window.input_channels;
                            for (int32_t i = 0; i < p->window.input_channels; i++) {
                                sum += w[i] * (in[i] + p->layer.input_offset);
                            }
                        }
                    }
                    *output++ = ts_layer_output_s8(&p->layer, oc, sum);
                }
            }
        }
    }
}

typedef struct {
    ts_sliding_window window; /* undilated */
    int32_t output_channels;
    ts_layer_s16 layer;
    const int16_t *short_bias; /* instead of the layer's, where it is computed at run time */
} ts_transpose_conv_s16_params;

/* int16 activations, int8 weights, int64 sums: TFLM's reference_integer_ops::TransposeConv. */
static inline void ts_transpose_conv_s16(const ts_transpose_conv_s16_params *p, const int16_t *input, int16_t *output)
{
    const int32_t row_elements = p->window.input_width * p->window.input_channels;
    for (int32_t b = 0; b < p->window.batches; b++, input += p->window.input_height * row_elements) {
        for (int32_t oy = 0; oy < p->window.output_height; oy++) {
            for (int32_t ox = 0; ox < p->window.output_width; ox++) {
                const int8_t *w = p->layer.weights;
                for (int32_t oc = 0; oc < p->output_channels; oc++) {
                    int64_t sum = 0;
                    for (int32_t fy = 0; fy < p->window.filter_height; fy++) {
                        const int32_t y = ts_transpose_conv_source(oy + p->window.pad_top, fy, p->window.stride_height,
                                                                   p->window.input_height);
                        for (int32_t fx = 0; fx < p->window.filter_width; fx++, w += p->window.input_channels) {
                            const int32_t x = ts_transpose_conv_source(ox + p->window.pad_left, fx,
                                                                       p->window.stride_width, p->window.input_width);
                            if (y < 0 || x < 0) {
                                continue;
                            }
                            const int16_t *in = input + y * row_elements + x * p->window.input_channels;
                            for (int32_t i = 0; i < p->window.input_channels; i++) {
                                sum += w[i] * in[i];
                            }
                        }
                    }
                    if (p->short_bias != NULL) {
                        sum += p->short_bias[oc];
                    }
                    *output++ = ts_layer_output_s16(&p->layer, false, oc, sum);
                }
            }
        }
    }
}

typedef struct {
    ts_sliding_window window; /* undilated */
    int32_t output_channels;
    ts_layer_f32 layer;
} ts_transpose_conv_f32_params;

/* float32; the order of the sums differs from TFLM's reference_ops::TransposeConv. */
static inline void ts_transpose_conv_f32(const ts_transpose_conv_f32_params *p, const float *input, float *output)
{
    const int32_t row_elements = p->window.input_width * p->window.input_channels;
    for (int32_t b = 0; b < p->window.batches; b++, input += p->window.input_height * row_elements) {
        for (int32_t oy = 0; oy < p->window.output_height; oy++) {
            for (int32_t ox = 0; ox < p->window.output_width; ox++) {
                const float *w = p->layer.weights;
                for (int32_t oc = 0; oc < p->output_channels; oc++) {
                    float sum = 0.0f;
                    for (int32_t fy = 0; fy < p->window.filter_height; fy++) {
                        const int32_t y = ts_transpose_conv_source(oy + p->window.pad_top, fy, p->window.stride_height,
                                                                   p->window.input_height);
                        for (int32_t fx = 0; fx < p->window.filter_width; fx++, w += p->window.input_channels) {
                            const int32_t x = ts_transpose_conv_source(ox + p->window.pad_left, fx,
                                                                       p->window.stride_width, p->window.input_width);
                            if (y < 0 || x < 0) {
                                continue;
                            }
                            const float *in = input + y * row_elements + x * p->window.input_channels;
                            for (int32_t i = 0; i < p->window.input_channels; i++) {
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

TS_COMPUTED_OPERANDS(ts_transpose_conv_s8, int8_t, int8_t, int32_t)
TS_COMPUTED_OPERANDS(ts_transpose_conv_s16, int16_t, int8_t, int64_t)
TS_COMPUTED_OPERANDS(ts_transpose_conv_f32, float, float, float)

static inline void ts_transpose_conv_s16_short_computed(const ts_transpose_conv_s16_params *p, const int16_t *input,
                                                        const int8_t *weights, const int16_t *bias, int16_t *output)
{
    ts_transpose_conv_s16_params with = *p;
    with.layer.weights = weights;
    with.short_bias = bias;
    ts_transpose_conv_s16(&with, input, output);
}

#endif
