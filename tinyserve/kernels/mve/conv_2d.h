/* SPDX-License-Identifier: Apache-2.0 */
/* CONV_2D, int8, per channel or per tensor, for Helium: three output pixels times two channels at a time.
 *
 * Input  [input_height, input_width, input_channels], output [output_height, output_width, output_channels], NHWC,
 * batch 1. Equals ts_conv_2d_s8 (and so TFLM's reference_integer_ops::ConvPerChannel) byte for byte, for right shifts
 * only.
 *
 * Output pixels are computed in ascending order, three at a time; all inputs of the three are read, or copied to the
 * patch, before the first of them is written.
 */
#ifndef TS_KERNELS_MVE_CONV_2D_H
#define TS_KERNELS_MVE_CONV_2D_H

#include <stdbool.h>

#include "../common/params.h"
#include "../common/window.h"
#include "matmul.h"

typedef struct {
    const int8_t *weights; /* see matmul.h: pairs of output channels, interleaved by 16 */
    const int32_t *requant;
    ts_sliding_window window; /* batch 1 */
    int32_t output_channels;
    int32_t input_zero_point;
    ts_mve_output output;
} ts_mve_conv_2d_params;

#define TS_MVE_PATCH_SLACK 16

/* `count` bytes, a multiple of 16. */
TS_MVE_INLINE void ts_mve_copy_vectors(int8_t *to, const int8_t *from, int32_t count)
{
    for (; count > 0; count -= 16, to += 16, from += 16) {
        vstrbq_s8(to, vldrbq_s8(from));
    }
}

/* One kernel row of a patch, taken from the input row `row` (NULL above and below the input). */
TS_MVE_INLINE void ts_mve_patch_row(const ts_mve_conv_2d_params *p, const int8_t *row, int32_t left, int8_t *patch)
{
    const int32_t channels = p->window.input_channels;
    const int8_t zero = (int8_t)p->input_zero_point;
    const int32_t right = left + p->window.filter_width;
    if (row == 0) {
        ts_mve_fill(patch, zero, p->window.filter_width * channels);
    } else if (p->window.dilation_width != 1) {
        for (int32_t x = left; x < left + p->window.filter_width * p->window.dilation_width;
             x += p->window.dilation_width) {
            if (x < 0 || x >= p->window.input_width) {
                ts_mve_fill(patch, zero, channels);
            } else {
                ts_mve_copy(patch, row + x * channels, channels);
            }
            patch += channels;
        }
    } else if (left >= 0 && right <= p->window.input_width) {
        ts_mve_copy(patch, row + left * channels, p->window.filter_width * channels);
    } else {
        const int32_t before = left < 0 ? -left : 0;
        const int32_t after = right > p->window.input_width ? right - p->window.input_width : 0;
        const int32_t inside = p->window.filter_width - before - after;
        ts_mve_fill(patch, zero, before * channels);
        ts_mve_copy(patch + before * channels, row + (left + before) * channels, inside * channels);
        ts_mve_fill(patch + (before + inside) * channels, zero, after * channels);
    }
}

/* `runs` of a patch that touches no border, `step` apart. */
TS_MVE_INLINE void ts_mve_patch_inside(const int8_t *from, int32_t runs, int32_t run_bytes, int32_t step, int8_t *patch)
{
    if (run_bytes == 48) {
        do {
            const int8x16_t first = vldrbq_s8(from), second = vldrbq_s8(from + 16), third = vldrbq_s8(from + 32);
            vstrbq_s8(patch, first);
            vstrbq_s8(patch + 16, second);
            vstrbq_s8(patch + 32, third);
            patch += 48;
            from += step;
        } while (--runs > 0);
    } else if (run_bytes % 16 == 0) {
        do {
            ts_mve_copy_vectors(patch, from, run_bytes);
            patch += run_bytes;
            from += step;
        } while (--runs > 0);
    } else if (run_bytes < 16) {
        const mve_pred16_t lanes = vctp8q((uint32_t)run_bytes);
        do {
            TS_STORE_LANES(vstrbq_p_s8, patch, vldrbq_z_s8(from, lanes), lanes);
            patch += run_bytes;
            from += step;
        } while (--runs > 0);
    } else {
        do {
            ts_mve_copy(patch, from, run_bytes);
            patch += run_bytes;
            from += step;
        } while (--runs > 0);
    }
}

/* The inputs of a pixel inside of the image, as runs that are neighbours in memory: the rows of its filter or, where
 * its columns are dilated, the taps of each row. */
typedef struct {
    int32_t lines, line_step, line_bytes, runs, run_bytes, run_step;
    int32_t last_row, last_left; /* what lies there and before is inside */
} ts_mve_inside;

TS_MVE_INLINE ts_mve_inside ts_mve_inside_of(const ts_sliding_window *window)
{
    const int32_t channels = window->input_channels, bytes = window->filter_width * channels;
    const int32_t step = window->dilation_height * window->input_width * channels;
    const int32_t reach = (window->filter_width - 1) * window->dilation_width + 1;
    const bool dilated = window->dilation_width != 1;
    ts_mve_inside inside = {1, 0, 0, window->filter_height, bytes, step, 0, window->input_width - reach};
    if (dilated) {
        inside = (ts_mve_inside){
            window->filter_height, step, bytes, window->filter_width, channels, window->dilation_width * channels, 0,
            inside.last_left};
    }
    inside.last_row = window->input_height - 1;
    return inside;
}

/* Any patch: filter_height x filter_width x input_channels, from row `top` and column `left` of the input on. */
TS_MVE_KERNEL void ts_mve_patch_border(const ts_mve_conv_2d_params *p, const int8_t *input, int32_t top, int32_t left,
                                       int8_t *patch)
{
    const int32_t row_bytes = p->window.input_width * p->window.input_channels;
    for (int32_t ky = 0; ky < p->window.filter_height; ++ky) {
        const int32_t in_y = top + ky * p->window.dilation_height;
        const int8_t *row = in_y < 0 || in_y >= p->window.input_height ? 0 : input + in_y * row_bytes;
        ts_mve_patch_row(p, row, left, patch);
        patch += p->window.filter_width * p->window.input_channels;
    }
}

/* What is left when three pixels can't be had: `rows` of `blocks` vectors, one after the other.
 * A function of its own, and the same for all lengths: it runs at most three times per layer. */
TS_MVE_KERNEL void ts_mve_conv_2d_rest(const ts_mve_conv_2d_params *p, const int8_t *rows, int32_t pixels, int32_t *acc,
                                       int8_t *output)
{
    const int32_t blocks = (p->window.filter_height * p->window.filter_width * p->window.input_channels + 15) / 16;
    const int32_t exact_ties = p->output.activation.min < p->output.zero_point;
    for (int32_t pixel = 0; pixel < pixels; ++pixel) {
        const int8_t *weights = p->weights;
        const int32_t *requant = p->requant;
        for (int32_t left = p->output_channels; left > 0; left -= TS_MVE_CHANNEL_BLOCK) {
            const int32_t count = left < TS_MVE_CHANNEL_BLOCK ? left : TS_MVE_CHANNEL_BLOCK;
            for (int32_t channel = 0; channel < count; channel += 2) {
                weights = ts_mve_dot_single(rows, weights, blocks, acc + channel);
            }
            requant = ts_mve_requantize_block(acc, 1, count, requant, p->output, exact_ties, output, 0);
            output += count;
        }
        rows += blocks * 16;
    }
}

/* Two pixels that are left: computed with the one before them once more, whose patch is still there. */
TS_MVE_KERNEL void ts_mve_conv_2d_last_two(const ts_mve_conv_2d_params *p, const int8_t *patches, int32_t *acc,
                                           int8_t *output)
{
    const int32_t blocks = (p->window.filter_height * p->window.filter_width * p->window.input_channels + 15) / 16;
    const int8_t *const row[3] = {patches + blocks * 32, patches, patches + blocks * 16};
    ts_mve_pixels(row, p->weights, blocks, p->output_channels, p->requant, p->output,
                  p->output.activation.min < p->output.zero_point, acc, output - p->output_channels);
}

/* Bytes of scratch. */
#define TS_MVE_CONV_2D_SCRATCH_BYTES(taps) (3 * (((taps) + 15) / 16 * 16) + TS_MVE_PATCH_SLACK)

/* Any kernel: each pixel's inputs are gathered into a patch. `patches` is scratch of 3 x blocks x 16 bytes and
 * TS_MVE_PATCH_SLACK. */
TS_MVE_INLINE void ts_mve_conv_2d_patches(const ts_mve_conv_2d_params *p, const int8_t *input, int8_t *output,
                                          int8_t *patches, const int32_t blocks, const int32_t exact_ties)
{
    const int8_t *const row[3] = {patches, patches + blocks * 16, patches + blocks * 32};
    const int32_t channels = p->window.input_channels;
    const ts_mve_inside inside = ts_mve_inside_of(&p->window);
    int32_t acc[TS_MVE_ACC_WORDS] __attribute__((aligned(16)));
    int32_t filled = 0;
    int32_t top = -p->window.pad_top;
    for (int32_t y = 0; y < p->window.output_height; ++y) {
        const int32_t rows_inside =
            top >= 0 && top + (p->window.filter_height - 1) * p->window.dilation_height <= inside.last_row;
        int32_t left = -p->window.pad_left;
        for (int32_t x = 0; x < p->window.output_width; ++x) {
            int8_t *patch = patches + filled * blocks * 16;
            if (rows_inside && left >= 0 && left <= inside.last_left) {
                const int8_t *from = input + (top * p->window.input_width + left) * channels;
                for (int32_t line = 0; line < inside.lines; ++line, from += inside.line_step) {
                    ts_mve_patch_inside(from, inside.runs, inside.run_bytes, inside.run_step,
                                        patch + line * inside.line_bytes);
                }
            } else {
                ts_mve_patch_border(p, input, top, left, patch);
            }
            left += p->window.stride_width;
            if (++filled == 3) {
                ts_mve_pixels(row, p->weights, blocks, p->output_channels, p->requant, p->output, exact_ties, acc,
                              output);
                output += 3 * p->output_channels;
                filled = 0;
            }
        }
        top += p->window.stride_height;
    }
    if (filled == 2 && p->window.output_height * p->window.output_width > 2) {
        ts_mve_conv_2d_last_two(p, patches, acc, output);
        return;
    }
    ts_mve_conv_2d_rest(p, patches, filled, acc, output);
}

/* 1x1, stride 1, no padding: the inputs are the rows. `patches` (16 x blocks bytes) holds the last pixels where a
 * vector would read beyond the input: where channels are a multiple of 16 none does, and there need be no scratch. */
TS_MVE_INLINE void ts_mve_conv_2d_pointwise(const ts_mve_conv_2d_params *p, const int8_t *input, int8_t *output,
                                            int8_t *patches, const int32_t blocks, const int32_t exact_ties)
{
    const int32_t channels = p->window.input_channels;
    const int32_t pixels = p->window.output_height * p->window.output_width;
    const int32_t overread = blocks * 16 - channels;
    int32_t acc[TS_MVE_ACC_WORDS] __attribute__((aligned(16)));
    int32_t first = 0;
    for (; first + 3 <= pixels && (first + 3) * channels + overread <= pixels * channels; first += 3) {
        const int8_t *from = input + first * channels;
        const int8_t *const row[3] = {from, from + channels, from + 2 * channels};
        ts_mve_pixels(row, p->weights, blocks, p->output_channels, p->requant, p->output, exact_ties, acc,
                      output + first * p->output_channels);
    }
    if (overread == 0) {
        ts_mve_conv_2d_rest(p, input + first * channels, pixels - first, acc, output + first * p->output_channels);
        return;
    }
    for (; first < pixels; ++first) {
        ts_mve_copy(patches, input + first * channels, channels);
        ts_mve_conv_2d_rest(p, patches, 1, acc, output + first * p->output_channels);
    }
}

/* One function per patch length and rounding: short rows are unrolled, which saves the pointer arithmetic. */
#define TS_MVE_CONV_2D(suffix, blocks, exact_ties)                                                                     \
    TS_MVE_KERNEL void ts_mve_conv_2d_patches_##suffix(const ts_mve_conv_2d_params *p, const int8_t *input,            \
                                                       int8_t *output, int8_t *patches)                                \
    {                                                                                                                  \
        ts_mve_conv_2d_patches(p, input, output, patches, blocks, exact_ties);                                         \
    }                                                                                                                  \
    TS_MVE_KERNEL void ts_mve_conv_2d_pointwise_##suffix(const ts_mve_conv_2d_params *p, const int8_t *input,          \
                                                         int8_t *output, int8_t *patches)                              \
    {                                                                                                                  \
        ts_mve_conv_2d_pointwise(p, input, output, patches, blocks, exact_ties);                                       \
    }

#define TS_MVE_PATCH_BLOCKS ((p->window.filter_height * p->window.filter_width * p->window.input_channels + 15) / 16)

TS_MVE_CONV_2D(1, 1, 0)
TS_MVE_CONV_2D(2, 2, 0)
TS_MVE_CONV_2D(3, 3, 0)
TS_MVE_CONV_2D(4, 4, 0)
TS_MVE_CONV_2D(8, 8, 0)
TS_MVE_CONV_2D(9, 9, 0)
TS_MVE_CONV_2D(any, TS_MVE_PATCH_BLOCKS, 0)
TS_MVE_CONV_2D(1_ties, 1, 1)
TS_MVE_CONV_2D(2_ties, 2, 1)
TS_MVE_CONV_2D(9_ties, 9, 1)
TS_MVE_CONV_2D(any_ties, TS_MVE_PATCH_BLOCKS, 1)

#endif
