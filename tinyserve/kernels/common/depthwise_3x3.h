/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TS_COMMON_DEPTHWISE_3X3_H
#define TS_COMMON_DEPTHWISE_3X3_H

#include <stdint.h>

/* A depthwise convolution of one image whose 3x3 filter and stride its kernel knows. */
typedef struct {
    int32_t input_height, input_width, channels;
    int32_t output_height, output_width;
    int32_t pad_top, pad_left;
    int32_t input_zero_point;
} ts_depthwise_3x3;

#endif
