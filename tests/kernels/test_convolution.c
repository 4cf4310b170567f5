/* SPDX-License-Identifier: Apache-2.0 */
/* The int8 convolutions against loops written from the definition, with every border, stride, dilation and padding. */
#include <string.h>

#include "check.h"
#include "conv_2d.h"
#include "depthwise_conv_2d.h"
#include "fully_connected.h"

enum { MOST = 4096, CHANNELS = 32 };

static int8_t input[MOST], weights[MOST], output[MOST];
static int32_t bias[CHANNELS], multipliers[CHANNELS];
static int8_t shifts[CHANNELS];

static int8_t expected_output(int32_t sum, int32_t channel, int32_t step, int32_t offset, int32_t low, int32_t high)
{
    sum = ts_requantize(sum, multipliers[channel * step], shifts[channel * step]) + offset;
    return (int8_t)(sum < low ? low : sum > high ? high : sum);
}

static void fill(void)
{
    fill_random(input, MOST);
    fill_random(weights, MOST);
    for (int i = 0; i < CHANNELS; i++) {
        bias[i] = random_between(-20000, 20000);
        multipliers[i] = random_between(1 << 30, INT32_MAX);
        shifts[i] = (int8_t)random_between(-12, 1);
    }
    memset(output, 0x55, sizeof output);
}

static int32_t extent(int32_t in, int32_t filter, int32_t stride, int32_t dilation, int32_t pad)
{
    return (in + pad - (filter - 1) * dilation - 1) / stride + 1;
}

/* What both convolutions call the same. */
#define IMAGE_FIELDS                                                                                                   \
    .window = {1, height, width, in_channels, fh, fw, oh, ow, sh, sw, dh, dw, pad_top, pad_left},                      \
    .layer = {in_offset, out_offset, {low, high}, weights, bias, {step, multipliers, shifts}}

/* Weights of the depthwise case lie [height][width][channel], those of the other [channel][height][width][input]. */
static void check_image(int depthwise)
{
    const int32_t height = random_between(3, 7), width = random_between(3, 7);
    const int32_t fh = random_between(1, 3), fw = random_between(1, 3);
    const int32_t sh = random_between(1, 2), sw = random_between(1, 3);
    const int32_t dh = random_between(1, fh > 1 && height > 4 ? 2 : 1), dw = 1;
    const int32_t in_channels = random_between(1, 5), per_channel = random_between(1, 3);
    const int32_t pad_top = random_between(0, fh - 1), pad_left = random_between(0, fw - 1);
    const int32_t out_channels = depthwise ? in_channels * per_channel : random_between(1, 6);
    const int32_t oh = extent(height, fh, sh, dh, 2 * pad_top), ow = extent(width, fw, sw, dw, 2 * pad_left);
    const int32_t in_offset = random_between(-127, 128), out_offset = random_between(-128, 127);
    const int32_t low = random_between(-128, 0), high = random_between(1, 127), step = random_between(0, 1);
    fill();
    if (depthwise) {
        const ts_depthwise_conv_2d_s8_params params = {.depth_multiplier = per_channel, IMAGE_FIELDS};
        ts_depthwise_conv_2d_s8(&params, input, output);
    } else {
        const ts_conv_2d_s8_params params = {.filter_channels = in_channels,
                                             .filters_per_group = out_channels,
                                             .output_channels = out_channels,
                                             IMAGE_FIELDS};
        ts_conv_2d_s8(&params, input, output);
    }
    for (int32_t y = 0; y < oh; y++) {
        for (int32_t x = 0; x < ow; x++) {
            for (int32_t c = 0; c < out_channels; c++) {
                int32_t sum = bias[c];
                for (int32_t fy = 0; fy < fh; fy++) {
                    for (int32_t fx = 0; fx < fw; fx++) {
                        const int32_t iy = y * sh - pad_top + fy * dh, ix = x * sw - pad_left + fx * dw;
                        if (iy < 0 || iy >= height || ix < 0 || ix >= width) {
                            continue;
                        }
                        const int8_t *pixel = input + (iy * width + ix) * in_channels;
                        const int32_t tap = fy * fw + fx;
                        for (int32_t i = 0; i < in_channels; i++) {
                            if (depthwise && i != c / per_channel) {
                                continue;
                            }
                            const int32_t w =
                                depthwise ? tap * out_channels + c : (c * fh * fw + tap) * in_channels + i;
                            sum += weights[w] * (pixel[i] + in_offset);
                        }
                    }
                }
                CHECK_EQUAL(output[(y * ow + x) * out_channels + c],
                            expected_output(sum, c, step, out_offset, low, high));
            }
        }
    }
    CHECK_EQUAL(output[oh * ow * out_channels], 0x55);
}

static void check_fully_connected(void)
{
    const int32_t batches = random_between(1, 3), depth = random_between(1, 40), channels = random_between(1, 20);
    const int32_t in_offset = random_between(-127, 128), out_offset = random_between(-128, 127);
    const int32_t step = random_between(0, 1);
    const ts_fully_connected_s8_params params = {
        .batches = batches,
        .depth = depth,
        .channels = channels,
        .layer = {in_offset, out_offset, {-128, 127}, weights, bias, {step, multipliers, shifts}}};
    fill();
    ts_fully_connected_s8(&params, input, output);
    for (int32_t b = 0; b < batches; b++) {
        for (int32_t c = 0; c < channels; c++) {
            int32_t sum = bias[c];
            for (int32_t i = 0; i < depth; i++) {
                sum += weights[c * depth + i] * (input[b * depth + i] + in_offset);
            }
            CHECK_EQUAL(output[b * channels + c], expected_output(sum, c, step, out_offset, -128, 127));
        }
    }
    CHECK_EQUAL(output[batches * channels], 0x55);
}

int main(void)
{
    for (int i = 0; i < 300; i++) {
        check_image(0);
        check_image(1);
        check_fully_connected();
    }
    return 0;
}
