/* CONV_2D, int8, per channel or per tensor, for Armv6-M: five output pixels times one channel at a time.
 *
 * Input [input_height, input_width, input_channels], output [output_height, output_width, output_channels], NHWC, batch 1.
 * Equals ts_conv_2d_s8 (and so TFLM's reference_integer_ops::ConvPerChannel) byte for byte, for right shifts and bounded
 * accumulators (see requantize.h).
 *
 * Output pixels are computed in ascending order, five at a time; all their inputs are copied to the patch before
 * the first of them is written.
 */
#ifndef TS_KERNELS_THUMB1_CONV_2D_H
#define TS_KERNELS_THUMB1_CONV_2D_H

#include "requantize.h"

#define TS_THUMB1_PIXELS 5
#define TS_THUMB1_CHANNEL_BLOCK 8

typedef struct {
    const uint8_t *weights; /* weight + 128, rows padded to a multiple of 8 taps */
    const int32_t *requant; /* ts_thumb1_channel, 7 words each */
    int32_t input_height, input_width, input_channels;
    int32_t output_height, output_width, output_channels;
    int32_t kernel_height, kernel_width;
    int32_t stride_height, stride_width;
    int32_t dilation_height, dilation_width;
    int32_t pad_top, pad_left;
    int32_t input_zero_point;
    int32_t activation_min, activation_max;
} ts_thumb1_conv_2d_params;

/* dots5.S */
void ts_thumb1_dots5(const int32_t *patch, const uint8_t *weights, uint32_t blocks, const int32_t start[5], int32_t *acc,
                     uint32_t channels);

/* `count` neighbouring inputs to every fifth word; returns 128 times their sum. */
TS_THUMB1_INLINE int32_t ts_thumb1_widen(const int8_t *from, int32_t count, int32_t *to)
{
    int32_t sum = 0;
    for (; count >= 4; count -= 4) {
        const int32_t a = from[0], b = from[1], c = from[2], d = from[3];
        to[0] = a;
        to[5] = b;
        to[10] = c;
        to[15] = d;
        sum += a + b + c + d;
        to += 20;
        from += 4;
    }
    for (; count > 0; --count) {
        const int32_t a = *from++;
        *to = a;
        sum += a;
        to += 5;
    }
    return sum;
}

TS_THUMB1_INLINE int32_t ts_thumb1_pad(int32_t value, int32_t count, int32_t *to)
{
    const int32_t sum = value * count;
    for (; count > 0; --count) {
        *to = value;
        to += 5;
    }
    return sum;
}

/* The inputs of the output pixel whose window starts at row `top` and column `left`, to one column of the patch.
 * Returns their sum. */
TS_THUMB1_KERNEL int32_t ts_thumb1_patch(const ts_thumb1_conv_2d_params *p, const int8_t *input, int32_t top, int32_t left,
                                         int32_t *patch)
{
    const int32_t channels = p->input_channels;
    const int32_t row_taps = p->kernel_width * channels;
    const int32_t row_bytes = p->input_width * channels;
    const int32_t contiguous = p->dilation_width == 1 && left >= 0 && left + p->kernel_width <= p->input_width;
    int32_t sum = 0;
    for (int32_t ky = 0; ky < p->kernel_height; ++ky) {
        const int32_t y = top + ky * p->dilation_height;
        if (y < 0 || y >= p->input_height) {
            sum += ts_thumb1_pad(p->input_zero_point, row_taps, patch);
        } else if (contiguous) {
            sum += ts_thumb1_widen(input + y * row_bytes + left * channels, row_taps, patch);
        } else {
            int32_t *to = patch;
            for (int32_t kx = 0; kx < p->kernel_width; ++kx) {
                const int32_t x = left + kx * p->dilation_width;
                if (x < 0 || x >= p->input_width) {
                    sum += ts_thumb1_pad(p->input_zero_point, channels, to);
                } else {
                    sum += ts_thumb1_widen(input + y * row_bytes + x * channels, channels, to);
                }
                to += channels * TS_THUMB1_PIXELS;
            }
        }
        patch += row_taps * TS_THUMB1_PIXELS;
    }
    return sum;
}

/* All channels of up to five pixels, whose inputs are in the patch. */
TS_THUMB1_INLINE void ts_thumb1_pixels(const ts_thumb1_conv_2d_params *p, const int32_t *patch, const int32_t *sums,
                                       int32_t blocks, int32_t pixels, const int32_t limbs, const int32_t ties,
                                       int8_t *output)
{
    int32_t start[TS_THUMB1_PIXELS];
    int32_t acc[TS_THUMB1_CHANNEL_BLOCK * TS_THUMB1_PIXELS];
    const uint8_t *weights = p->weights;
    const ts_thumb1_channel *channel = (const ts_thumb1_channel *)(const void *)p->requant;
    for (int32_t pixel = 0; pixel < TS_THUMB1_PIXELS; ++pixel) {
        start[pixel] = -128 * sums[pixel];
    }
    for (int32_t left = p->output_channels; left > 0; left -= TS_THUMB1_CHANNEL_BLOCK) {
        const int32_t count = left < TS_THUMB1_CHANNEL_BLOCK ? left : TS_THUMB1_CHANNEL_BLOCK;
        ts_thumb1_dots5(patch, weights, (uint32_t)blocks, start, acc, (uint32_t)count);
        const ts_thumb1_store_args runs = {4 * pixels, p->output_channels, count, 4 * TS_THUMB1_PIXELS, 1,
                                           (int32_t)sizeof(*channel)};
        ts_thumb1_store_runs(acc, channel, output, &runs, limbs, ties, p->activation_min, p->activation_max);
        weights += count * blocks * 8;
        channel += count;
        output += count;
    }
}

/* `patch` is scratch of five words per tap, the taps rounded up to a multiple of 8. */
TS_THUMB1_INLINE void ts_thumb1_conv_2d(const ts_thumb1_conv_2d_params *p, const int8_t *input, int8_t *output,
                                        int32_t *patch, const int32_t limbs, const int32_t ties)
{
    const int32_t taps = p->kernel_height * p->kernel_width * p->input_channels;
    const int32_t blocks = (taps + 7) / 8;
    int32_t sums[TS_THUMB1_PIXELS] = {0, 0, 0, 0, 0};
    int32_t filled = 0;
    int32_t top = -p->pad_top;
    for (int32_t i = 0; i < blocks * 8 * TS_THUMB1_PIXELS; ++i) {
        patch[i] = 0;
    }
    for (int32_t y = 0; y < p->output_height; ++y) {
        int32_t left = -p->pad_left;
        for (int32_t x = 0; x < p->output_width; ++x) {
            sums[filled] = ts_thumb1_patch(p, input, top, left, patch + filled);
            left += p->stride_width;
            if (++filled == TS_THUMB1_PIXELS) {
                ts_thumb1_pixels(p, patch, sums, blocks, filled, limbs, ties, output);
                output += TS_THUMB1_PIXELS * p->output_channels;
                filled = 0;
            }
        }
        top += p->stride_height;
    }
    if (filled > 0) {
        ts_thumb1_pixels(p, patch, sums, blocks, filled, limbs, ties, output);
    }
}

#define TS_THUMB1_CONV_2D(suffix, limbs, ties)                                                                         \
    TS_THUMB1_KERNEL void ts_thumb1_conv_2d_##suffix(const ts_thumb1_conv_2d_params *p, const int8_t *input,          \
                                                     int8_t *output, int32_t *patch)                                  \
    {                                                                                                                  \
        ts_thumb1_conv_2d(p, input, output, patch, limbs, ties);                                                      \
    }

TS_THUMB1_CONV_2D(3, 3, 0)
TS_THUMB1_CONV_2D(4, 4, 0)
TS_THUMB1_CONV_2D(3_ties, 3, 1)
TS_THUMB1_CONV_2D(4_ties, 4, 1)

#endif
