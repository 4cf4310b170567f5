/* SPDX-License-Identifier: Apache-2.0 */
/* Fields that parameter structs of several kernels share, by the names that TFLM gives them. */
#ifndef TS_COMMON_PARAMS_H
#define TS_COMMON_PARAMS_H

#include <stdint.h>

/* A convolution of one image as the kernels of several instruction sets take it. */
#define TS_CONVOLUTION_FIELDS                                                                                          \
    int32_t input_height, input_width, input_channels;                                                                 \
    int32_t output_height, output_width, output_channels;                                                              \
    int32_t filter_height, filter_width;                                                                               \
    int32_t stride_height, stride_width;                                                                               \
    int32_t dilation_height, dilation_width;                                                                           \
    int32_t pad_top, pad_left;

/* A depthwise convolution of one image whose filter and stride its kernel knows. */
#define TS_DEPTHWISE_3X3_FIELDS                                                                                        \
    int32_t input_height, input_width, channels;                                                                       \
    int32_t output_height, output_width;                                                                               \
    int32_t pad_top, pad_left;

/* Sums to outputs: multiplier_step is 1 for a multiplier and shift per output channel, 0 for one of each. */
#define TS_REQUANTIZATION_FIELDS                                                                                       \
    int32_t multiplier_step;                                                                                           \
    const int32_t *multipliers;                                                                                        \
    const int8_t *shifts;

/* The least and the greatest output: the fused activation's, or the type's. */
#define TS_ACTIVATION_FIELDS(T) T activation_min, activation_max;

#endif
