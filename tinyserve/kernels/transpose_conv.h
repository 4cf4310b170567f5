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
#include "common/operands.h"
#include "common/params.h"

/* The input position that reaches an output position through a tap, or -1. */
static inline int32_t ts_transpose_conv_source(int32_t position, int32_t tap, int32_t stride, int32_t extent)
{
    const int32_t scaled = position - tap;
    if (scaled < 0 || scaled % stride != 0 || scaled / stride >= extent) {
        return -1;
    }
    return scaled / stride;
}

/* What the parameters of all types say of the layer. */
#define TS_TRANSPOSE_CONV_FIELDS                                                                                       \
    int32_t batches, input_height, input_width, input_channels;                                                        \
    int32_t filter_height, filter_width;                                                                               \
    int32_t output_height, output_width, output_channels;                                                              \
    int32_t stride_height, stride_width, pad_top, pad_left;

typedef struct {
    TS_TRANSPOSE_CONV_FIELDS
    int32_t input_offset, output_offset;
    TS_ACTIVATION_FIELDS(int32_t)
    const int8_t *weights;
    const int32_t *bias;
    TS_REQUANTIZATION_FIELDS
} ts_transpose_conv_s8_params;

/* int8, equal to TFLM's reference_integer_ops::TransposeConv. */
static inline void ts_transpose_conv_s8(const ts_transpose_conv_s8_params *p, const int8_t *input, int8_t *output)
{
    const int32_t row_bytes = p->input_width * p->input_channels;
    for (int32_t b = 0; b < p->batches; b++, input += p->input_height * row_bytes) {
        for (int32_t oy = 0; oy < p->output_height; oy++) {
            for (int32_t ox = 0; ox < p->output_width; ox++) {
                const int8_t *w = p->weights;
                for (int32_t oc = 0; oc < p->output_channels; oc++) {
                    int32_t sum = 0;
                    for (int32_t fy = 0; fy < p->filter_height; fy++) {
                        const int32_t y =
                            ts_transpose_conv_source(oy + p->pad_top, fy, p->stride_height, p->input_height);
                        for (int32_t fx = 0; fx < p->filter_width; fx++, w += p->input_channels) {
                            const int32_t x =
                                ts_transpose_conv_source(ox + p->pad_left, fx, p->stride_width, p->input_width);
                            if (y < 0 || x < 0) {
                                continue;
                            }
                            const int8_t *in = input + y * row_bytes + x * p->input_channels;
                            for (int32_t i = 0; i < p->input_channels; i++) {
                                sum += w[i] * (in[i] + p->input_offset);
                            }
                        }
                    }
                    if (p->bias != NULL) {
                        sum = ts_wrap_add(sum, p->bias[oc]);
                    }
                    const int32_t m = oc * p->multiplier_step;
                    sum = ts_wrap_add(ts_requantize(sum, p->multipliers[m], p->shifts[m]), p->output_offset);
                    *output++ = (int8_t)ts_clamp(sum, p->activation_min, p->activation_max);
                }
            }
        }
    }
}

typedef struct {
    TS_TRANSPOSE_CONV_FIELDS
    TS_ACTIVATION_FIELDS(int32_t)
    const int8_t *weights;
    const int64_t *bias;
    const int16_t *short_bias; /* instead of bias, where it is computed at run time */
    TS_REQUANTIZATION_FIELDS
} ts_transpose_conv_s16_params;

/* int16 activations, int8 weights, int64 sums: TFLM's reference_integer_ops::TransposeConv. */
static inline void ts_transpose_conv_s16(const ts_transpose_conv_s16_params *p, const int16_t *input, int16_t *output)
{
    const int32_t row_elements = p->input_width * p->input_channels;
    for (int32_t b = 0; b < p->batches; b++, input += p->input_height * row_elements) {
        for (int32_t oy = 0; oy < p->output_height; oy++) {
            for (int32_t ox = 0; ox < p->output_width; ox++) {
                const int8_t *w = p->weights;
                for (int32_t oc = 0; oc < p->output_channels; oc++) {
                    int64_t sum = 0;
                    for (int32_t fy = 0; fy < p->filter_height; fy++) {
                        const int32_t y =
                            ts_transpose_conv_source(oy + p->pad_top, fy, p->stride_height, p->input_height);
                        for (int32_t fx = 0; fx < p->filter_width; fx++, w += p->input_channels) {
                            const int32_t x =
                                ts_transpose_conv_source(ox + p->pad_left, fx, p->stride_width, p->input_width);
                            if (y < 0 || x < 0) {
                                continue;
                            }
                            const int16_t *in = input + y * row_elements + x * p->input_channels;
                            for (int32_t i = 0; i < p->input_channels; i++) {
                                sum += w[i] * in[i];
                            }
                        }
                    }
                    if (p->bias != NULL) {
                        sum = ts_wrap_add_s64(sum, p->bias[oc]);
                    } else if (p->short_bias != NULL) {
                        sum += p->short_bias[oc];
                    }
                    const int32_t m = oc * p->multiplier_step;
                    const int32_t scaled = ts_requantize_s64(sum, p->multipliers[m], p->shifts[m]);
                    *output++ = (int16_t)ts_clamp(scaled, p->activation_min, p->activation_max);
                }
            }
        }
    }
}

typedef struct {
    TS_TRANSPOSE_CONV_FIELDS
    TS_ACTIVATION_FIELDS(float)
    const float *weights;
    const float *bias;
} ts_transpose_conv_f32_params;

/* float32; the order of the sums differs from TFLM's reference_ops::TransposeConv. */
static inline void ts_transpose_conv_f32(const ts_transpose_conv_f32_params *p, const float *input, float *output)
{
    const int32_t row_elements = p->input_width * p->input_channels;
    for (int32_t b = 0; b < p->batches; b++, input += p->input_height * row_elements) {
        for (int32_t oy = 0; oy < p->output_height; oy++) {
            for (int32_t ox = 0; ox < p->output_width; ox++) {
                const float *w = p->weights;
                for (int32_t oc = 0; oc < p->output_channels; oc++) {
                    float sum = 0.0f;
                    for (int32_t fy = 0; fy < p->filter_height; fy++) {
                        const int32_t y =
                            ts_transpose_conv_source(oy + p->pad_top, fy, p->stride_height, p->input_height);
                        for (int32_t fx = 0; fx < p->filter_width; fx++, w += p->input_channels) {
                            const int32_t x =
                                ts_transpose_conv_source(ox + p->pad_left, fx, p->stride_width, p->input_width);
                            if (y < 0 || x < 0) {
                                continue;
                            }
                            const float *in = input + y * row_elements + x * p->input_channels;
                            for (int32_t i = 0; i < p->input_channels; i++) {
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

TS_COMPUTED_OPERANDS(ts_transpose_conv_s8, int8_t, int8_t, int32_t)
TS_COMPUTED_OPERANDS(ts_transpose_conv_s16, int16_t, int8_t, int64_t)
TS_COMPUTED_OPERANDS(ts_transpose_conv_f32, float, float, float)

static inline void ts_transpose_conv_s16_short_computed(const ts_transpose_conv_s16_params *p, const int16_t *input,
                                                        const int8_t *weights, const int16_t *bias, int16_t *output)
{
    ts_transpose_conv_s16_params with = *p;
    with.weights = weights;
    with.short_bias = bias;
    ts_transpose_conv_s16(&with, input, output);
}

#endif
