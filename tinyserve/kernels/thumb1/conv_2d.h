/* SPDX-License-Identifier: Apache-2.0 */
/* CONV_2D, int8, per channel or per tensor, for Armv6-M: five output pixels times one channel at a time.
 * Up to `groups` times five pixels are gathered first, where rows are short, so that a channel's constants are loaded
 * once for all of them.
 *
 * Input [input_height, input_width, input_channels], output [output_height, output_width, output_channels], NHWC,
 * batch 1. Equals ts_conv_2d_s8 (and so TFLM's reference_integer_ops::ConvPerChannel) byte for byte, for the factors
 * and accumulators that requantize.h takes.
 *
 * Output pixels are computed in ascending order, groups x 5 at a time; all their inputs are copied to the patches
 * before the first of them is written.
 */
#ifndef TS_KERNELS_THUMB1_CONV_2D_H
#define TS_KERNELS_THUMB1_CONV_2D_H

#include "../common/params.h"
#include "../common/window.h"
#include "requantize.h"

#define TS_THUMB1_PIXELS 5
#define TS_THUMB1_CHANNEL_BLOCK 8
#define TS_THUMB1_MOST_GROUPS 4

typedef struct {
    const uint8_t *weights;   /* weight + 128, rows padded to a multiple of 4 taps */
    const int32_t *requant;   /* ts_thumb1_channel, 8 words each */
    ts_sliding_window window; /* batch 1 */
    int32_t output_channels;
    int32_t input_zero_point;
    ts_activation activation;
    int32_t groups;
} ts_thumb1_conv_2d_params;

/* dots5.S */
void ts_thumb1_dots5(const int32_t *patch, const uint8_t *weights, uint32_t taps, const int32_t start[5], int32_t *acc,
                     uint32_t channels, uint32_t acc_step);

typedef struct {
    int32_t rows, row_bytes, step;
} ts_thumb1_widen_args;

/* widen5.S */
int32_t ts_thumb1_widen5(const int8_t *from, int32_t *to, const ts_thumb1_widen_args *args);

TS_THUMB1_INLINE int32_t ts_thumb1_pad(int32_t value, int32_t count, int32_t *to)
{
    const int32_t sum = value * count;
    for (; count > 0; --count) {
        *to = value;
        to += 5;
    }
    return sum;
}

/* One row of a window's taps, from column x on; the row is `from` of the input, or NULL outside of it. Returns the sum
 * of the inputs. */
TS_THUMB1_INLINE int32_t ts_thumb1_border_row(const ts_thumb1_conv_2d_params *p, const int8_t *from, int32_t x,
                                              int32_t *patch)
{
    const int32_t channels = p->window.input_channels, taps = p->window.filter_width;
    const int32_t before = x >= 0 ? 0 : -x < taps ? -x : taps;
    int32_t end = p->window.input_width - x < taps ? p->window.input_width - x : taps;
    int32_t sum;
    if (from == 0 || end < before) {
        end = before;
    }
    sum = ts_thumb1_pad(p->input_zero_point, before * channels, patch);
    if (end > before) {
        const int32_t count = (end - before) * channels;
        const ts_thumb1_widen_args inside = {1, count, count};
        sum += ts_thumb1_widen5(from + (x + before) * channels, patch + before * channels * TS_THUMB1_PIXELS, &inside);
    }
    return sum + ts_thumb1_pad(p->input_zero_point, (taps - end) * channels, patch + end * channels * TS_THUMB1_PIXELS);
}

/* One row of dilated taps, otherwise as above. */
TS_THUMB1_INLINE int32_t ts_thumb1_dilated_row(const ts_thumb1_conv_2d_params *p, const int8_t *from, int32_t x,
                                               int32_t *patch)
{
    const int32_t channels = p->window.input_channels;
    const ts_thumb1_widen_args pixel = {1, channels, channels};
    int32_t sum = 0;
    for (int32_t left = p->window.filter_width; left > 0; --left) {
        if (from == 0 || x < 0 || x >= p->window.input_width) {
            sum += ts_thumb1_pad(p->input_zero_point, channels, patch);
        } else {
            sum += ts_thumb1_widen5(from + x * channels, patch, &pixel);
        }
        x += p->window.dilation_width;
        patch += channels * TS_THUMB1_PIXELS;
    }
    return sum;
}

/* The inputs of a window that reaches beyond the input or is dilated, from row `top` and column `left` on, to one
 * column of the patch. Returns their sum. */
TS_THUMB1_KERNEL int32_t ts_thumb1_border_patch(const ts_thumb1_conv_2d_params *p, const int8_t *input, int32_t top,
                                                int32_t left, int32_t *patch)
{
    int32_t sum = 0;
    for (int32_t ky = 0; ky < p->window.filter_height; ++ky) {
        const int32_t y = top + ky * p->window.dilation_height;
        const int8_t *from =
            y < 0 || y >= p->window.input_height ? 0 : input + y * p->window.input_width * p->window.input_channels;
        sum += p->window.dilation_width == 1 ? ts_thumb1_border_row(p, from, left, patch)
                                             : ts_thumb1_dilated_row(p, from, left, patch);
        patch += p->window.filter_width * p->window.input_channels * TS_THUMB1_PIXELS;
    }
    return sum;
}

/* All channels of the gathered pixels: patches of `patch_words`, and sums of each pixel's inputs. */
TS_THUMB1_KERNEL void ts_thumb1_pixels(const ts_thumb1_conv_2d_params *p, const int32_t *patches, int32_t patch_words,
                                       const int32_t *sums, int32_t pixels, int32_t *acc, int8_t *output)
{
    const uint8_t *weights = p->weights;
    const ts_thumb1_channel *channel = (const ts_thumb1_channel *)(const void *)p->requant;
    const uint32_t taps = (uint32_t)patch_words / TS_THUMB1_PIXELS;
    const int32_t acc_words = p->groups * TS_THUMB1_PIXELS;
    const uint32_t acc_step = (uint32_t)(4 * (acc_words - TS_THUMB1_PIXELS));
    ts_thumb1_store_args runs = {4 * pixels, p->output_channels, 0, 4 * acc_words, 1, (int32_t)sizeof(*channel)};
    for (int32_t left = p->output_channels; left > 0; left -= TS_THUMB1_CHANNEL_BLOCK) {
        const int32_t count = left < TS_THUMB1_CHANNEL_BLOCK ? left : TS_THUMB1_CHANNEL_BLOCK;
        const int32_t *patch = patches;
        for (int32_t first = 0; first < pixels; first += TS_THUMB1_PIXELS) {
            ts_thumb1_dots5(patch, weights, taps, sums + first, acc + first, (uint32_t)count, acc_step);
            patch += patch_words;
        }
        runs.runs = count;
        ts_thumb1_store_runs(acc, channel, output, &runs, p->activation);
        weights += count * (patch_words / TS_THUMB1_PIXELS);
        channel += count;
        output += count;
    }
}

/* Words of scratch: patches of five words per tap, taps rounded up to a multiple of 4; sums of 8 channels. */
#define TS_THUMB1_CONV_2D_SCRATCH_WORDS(taps, groups) (5 * (groups) * (((taps) + 3) / 4 * 4 + TS_THUMB1_CHANNEL_BLOCK))

TS_THUMB1_KERNEL void ts_thumb1_conv_2d_s8(const ts_thumb1_conv_2d_params *p, const int8_t *input, int8_t *output,
                                           int32_t *scratch)
{
    const int32_t channels = p->window.input_channels;
    const int32_t row_taps = p->window.filter_width * channels;
    const int32_t patch_words = (p->window.filter_height * row_taps + 3) / 4 * 4 * TS_THUMB1_PIXELS;
    const int32_t most = p->groups * TS_THUMB1_PIXELS;
    const int32_t last_left = p->window.dilation_width == 1 ? p->window.input_width - p->window.filter_width : -1;
    const int32_t reach = (p->window.filter_height - 1) * p->window.dilation_height;
    const ts_thumb1_widen_args window = {p->window.filter_height, row_taps,
                                         p->window.dilation_height * p->window.input_width * channels};
    int32_t *const acc = scratch + p->groups * patch_words;
    /* Of pixels that a last, incomplete group lacks, sums and outputs are computed from what is there and not stored.
     */
    int32_t sums[TS_THUMB1_MOST_GROUPS * TS_THUMB1_PIXELS];
    int32_t filled = 0, column = 0;
    int32_t *patch = scratch;
    int32_t top = -p->window.pad_top;
    for (int32_t i = 0; i < p->groups * patch_words; ++i) {
        scratch[i] = 0;
    }
    for (int32_t y = 0; y < p->window.output_height; ++y) {
        const int32_t rows_inside = top >= 0 && top + reach < p->window.input_height;
        int32_t left = -p->window.pad_left;
        const int8_t *from = input + (top * p->window.input_width + left) * channels;
        for (int32_t x = 0; x < p->window.output_width; ++x) {
            const int32_t sum = rows_inside && left >= 0 && left <= last_left
                                    ? ts_thumb1_widen5(from, patch + column, &window)
                                    : ts_thumb1_border_patch(p, input, top, left, patch + column);
            sums[filled] = -128 * sum; /* undoes the 128 in each weight */
            left += p->window.stride_width;
            from += p->window.stride_width * channels;
            if (++column == TS_THUMB1_PIXELS) {
                column = 0;
                patch += patch_words;
            }
            if (++filled == most) {
                ts_thumb1_pixels(p, scratch, patch_words, sums, filled, acc, output);
                output += most * p->output_channels;
                filled = 0;
                patch = scratch;
            }
        }
        top += p->window.stride_height;
    }
    if (filled > 0) {
        ts_thumb1_pixels(p, scratch, patch_words, sums, filled, acc, output);
    }
}

#endif
