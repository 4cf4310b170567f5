/* SPDX-License-Identifier: Apache-2.0 */
/* CONV_2D int8 by patches: the taps of 4 output pixels are widened to int16 and multiplied with packed weights.
 * Bytes equal those of ts_conv_2d_s8; all of the output's range must be allowed (activation -128..127).
 *
 * The output is written in ascending order, 4 pixels at a time, each after its taps have been read. */
#ifndef TS_DSP_CONV_2D_H
#define TS_DSP_CONV_2D_H

#include <stdint.h>

#include "../common/copy.h"
#include "../common/window.h"
#include "matmul.h"

typedef struct {
    ts_dsp_matmul matmul;
    ts_dsp_matmul_function *multiply_4, *multiply_1;
    int32_t pixels;
    int32_t input_bytes; /* of a pixel */
} ts_dsp_conv_2d_1x1_s8_params;

/* Bytes of scratch; pixels: of a patch. */
#define TS_DSP_CONV_2D_1X1_SCRATCH_BYTES(pixels, steps) (4 * (pixels) * (steps))

/* 1x1 filters with stride 1. scratch: a patch, 16 bytes per step. */
TS_DSP_SHARED void ts_dsp_conv_2d_1x1_s8(const ts_dsp_conv_2d_1x1_s8_params *p, const int8_t *input, int8_t *output,
                                         int32_t *scratch)
{
    const int32_t size = p->input_bytes;
    const ts_dsp_runs run = {size / 4, size % 4, 1, 0};
    int32_t left = p->pixels;
    for (; left >= 4; left -= 4) {
        const int8_t *const pixels[4] = {input, input + size, input + 2 * size, input + 3 * size};
        ts_dsp_patch_4_s8(scratch, pixels, &run);
        ts_dsp_multiply(p->multiply_4, &p->matmul, scratch, output);
        input += 4 * size;
        output += 4 * p->matmul.pixel_step;
    }
    for (; left > 0; left--) {
        ts_dsp_patch_1_s8(scratch, input, &run);
        ts_dsp_multiply(p->multiply_1, &p->matmul, scratch, output);
        input += size;
        output += p->matmul.pixel_step;
    }
}

/* Any filter, stride, dilation and padding. After the patch, scratch holds a row of padding and, where taps lie side
 * by side, a row for each window of a block that the image's sides cut off: row_words each. */
typedef struct {
    ts_dsp_matmul matmul;
    ts_dsp_matmul_function *multiply_4, *multiply_1;
    ts_sliding_window window;
    int32_t input_zero_point;
    int32_t patch_words, row_words;
} ts_dsp_conv_2d_s8_params;

/* Bytes of scratch: a patch and so many rows. */
#define TS_DSP_CONV_2D_SCRATCH_BYTES(patch_words, row_words, rows) (4 * ((patch_words) + (rows) * (row_words)))

/* A window: where it starts in the input, which may be outside. offset: of its first tap in bytes. */
typedef struct {
    int32_t y, x, offset;
} ts_dsp_window;

/* Bytes of padding. */
static inline void ts_dsp_fill_taps(int8_t *to, int32_t bytes, int32_t zero_point)
{
    const uint32_t word = (uint32_t)(zero_point & 0xff) * 0x01010101u;
    for (; bytes >= 4; bytes -= 4, to += 4) {
        __builtin_memcpy(to, &word, sizeof word);
    }
    for (; bytes > 0; bytes--) {
        *to++ = (int8_t)zero_point;
    }
}

/* A copy of a row of taps with padding in place of what is outside. */
TS_DSP_SMALL const int8_t *ts_dsp_padded_row(const ts_dsp_conv_2d_s8_params *p, const int8_t *source, int32_t x,
                                             int8_t *row)
{
    const int32_t channels = p->window.input_channels, taps = p->window.filter_width;
    const int32_t begin = x < 0 ? -x : 0, end = p->window.input_width - x < taps ? p->window.input_width - x : taps;
    ts_dsp_fill_taps(row, begin * channels, p->input_zero_point);
    ts_copy_bytes(row + begin * channels, source + begin * channels, (end - begin) * channels);
    ts_dsp_fill_taps(row + end * channels, (taps - end) * channels, p->input_zero_point);
    return row;
}

typedef int16_t __attribute__((may_alias)) ts_dsp_half; /* of a word of the patch */

/* Puts padding in place of taps begin to end (of a row of the filter) in every row of one pixel's patch. */
TS_DSP_SMALL void ts_dsp_pad_taps(const ts_dsp_conv_2d_s8_params *p, int32_t begin, int32_t end, int32_t *patch,
                                  int32_t pixels)
{
    const int32_t channels = p->window.input_channels, bytes = p->window.filter_width * channels;
    const int32_t steps = bytes / 4 * 2 + (bytes % 4 == 3 ? 2 : bytes % 4 != 0);
    const int32_t pair = (int32_t)((uint32_t)p->input_zero_point << 16) | (p->input_zero_point & 0xffff);
    for (int32_t fy = 0; fy < p->window.filter_height; fy++, patch += steps * pixels) {
        if (channels % 4 == 0) {
            for (int32_t i = begin * channels / 2; i < end * channels / 2; i++) {
                patch[i * pixels] = pair;
            }
            continue;
        }
        for (int32_t i = begin * channels; i < end * channels; i++) {
            const int32_t pair_of_two = bytes % 4 == 2 && i >= bytes - 2;
            const int32_t step = i / 4 * 2 + (pair_of_two ? 0 : i % 2), half = pair_of_two ? i % 2 : i / 2 % 2;
            ((ts_dsp_half *)(patch + step * pixels))[half] = (int16_t)p->input_zero_point;
        }
    }
}

/* Patches row by row of the filter, for windows that reach over the top or bottom, or beyond the ends of the input. */
TS_DSP_SMALL void ts_dsp_patch_rows(const ts_dsp_conv_2d_s8_params *p, const int8_t *input, const ts_dsp_window *at,
                                    int32_t pixels, int32_t *patch)
{
    const int32_t row_bytes = p->window.input_width * p->window.input_channels;
    const int32_t taps = p->window.dilation_width == 1 ? p->window.filter_width : 1;
    const int32_t bytes = taps * p->window.input_channels;
    const ts_dsp_runs shape = {bytes / 4, bytes % 4, 1, 0};
    int32_t *const padding = patch + p->patch_words;
    for (int32_t fy = 0; fy < p->window.filter_height; fy++) {
        for (int32_t fx = 0; fx < p->window.filter_width; fx += taps) {
            const int8_t *runs[4];
            int32_t *copy = padding;
            for (int32_t i = 0; i < pixels; i++) {
                const int32_t y = at[i].y + fy * p->window.dilation_height, x = at[i].x + fx * p->window.dilation_width;
                const int8_t *source = input + y * row_bytes + x * p->window.input_channels;
                if (y < 0 || y >= p->window.input_height || x <= -taps || x >= p->window.input_width) {
                    source = (int8_t *)padding;
                } else if (x < 0 || x + taps > p->window.input_width) {
                    copy += p->row_words;
                    source = ts_dsp_padded_row(p, source, x, (int8_t *)copy);
                }
                runs[i] = source;
            }
            patch = pixels == 4 ? ts_dsp_patch_4_s8(patch, runs, &shape) : ts_dsp_patch_1_s8(patch, runs[0], &shape);
        }
    }
}

/* The patch of 4 windows or 1. Windows that are cut off left or right are read across the edge and mended. */
TS_DSP_SMALL void ts_dsp_patch(const ts_dsp_conv_2d_s8_params *p, const int8_t *input, const ts_dsp_window *at,
                               int32_t pixels, const ts_dsp_runs *shape, int32_t *patch)
{
    const int32_t last_x = p->window.input_width - p->window.filter_width;
    const int32_t last_y = p->window.input_height - 1 - (p->window.filter_height - 1) * p->window.dilation_height;
    const int8_t *runs[4];
    /* Beyond an edge lies the neighbouring row, if the filter is no wider than that. */
    int cut = 0, rows = p->window.dilation_width != 1 || last_x < 0;
    for (int32_t i = 0; i < pixels; i++) {
        const int left = at[i].x<0, right = at[i].x> last_x;
        cut |= left | right;
        rows |= at[i].y < left || at[i].y > last_y - right; /* at the first and last row nothing lies across the edge */
        runs[i] = input + at[i].offset;
    }
    if (rows) {
        ts_dsp_patch_rows(p, input, at, pixels, patch);
        return;
    }
    if (pixels == 4) {
        ts_dsp_patch_4_s8(patch, runs, shape);
    } else {
        ts_dsp_patch_1_s8(patch, runs[0], shape);
    }
    for (int32_t i = 0; cut && i < pixels; i++) {
        const int32_t x = at[i].x;
        if (x < 0) {
            ts_dsp_pad_taps(p, 0, -x < p->window.filter_width ? -x : p->window.filter_width, patch + i, pixels);
        }
        if (x > last_x) {
            ts_dsp_pad_taps(p, x < p->window.input_width ? p->window.input_width - x : 0, p->window.filter_width,
                            patch + i, pixels);
        }
    }
}

/* The next pixels (4 or 1) in reading order, from window next; ox counts columns. */
static inline ts_dsp_window ts_dsp_next_windows(const ts_dsp_conv_2d_s8_params *p, ts_dsp_window next, int32_t *ox,
                                                int32_t pixels, ts_dsp_window *at)
{
    const int32_t row_bytes = p->window.input_width * p->window.input_channels;
    for (int32_t i = 0; i < pixels; i++) {
        at[i] = next;
        next.x += p->window.stride_width;
        next.offset += p->window.stride_width * p->window.input_channels;
        if (++*ox == p->window.output_width) {
            *ox = 0;
            next.y += p->window.stride_height;
            next.x = -p->window.pad_left;
            next.offset = next.y * row_bytes + next.x * p->window.input_channels;
        }
    }
    return next;
}

TS_DSP_SHARED void ts_dsp_conv_2d_s8(const ts_dsp_conv_2d_s8_params *p, const int8_t *input, int8_t *output,
                                     int32_t *scratch)
{
    const int32_t row_bytes = p->window.input_width * p->window.input_channels,
                  step = p->window.stride_width * p->window.input_channels;
    const int32_t filter_bytes = p->window.filter_width * p->window.input_channels;
    const ts_dsp_runs shape = {filter_bytes / 4, filter_bytes % 4, p->window.filter_height,
                               row_bytes * p->window.dilation_height - filter_bytes};
    /* Blocks of 4 pixels in a row that start between these are inside. */
    const int32_t last_x = p->window.input_width - p->window.filter_width - 3 * p->window.stride_width;
    const int32_t last_y = p->window.input_height - 1 - (p->window.filter_height - 1) * p->window.dilation_height;
    ts_dsp_fill_taps((int8_t *)(scratch + p->patch_words), 4 * p->row_words, p->input_zero_point);
    for (int32_t b = 0; b < p->window.batches; b++, input += p->window.input_height * row_bytes) {
        int32_t left = p->window.output_height * p->window.output_width, ox = 0;
        ts_dsp_window next = {-p->window.pad_top, -p->window.pad_left,
                              -p->window.pad_top * row_bytes - p->window.pad_left * p->window.input_channels};
        while (left >= 4 && p->multiply_4 != 0) {
            if (next.x >= 0 && next.x <= last_x && next.y >= 0 && next.y <= last_y && ox + 4 < p->window.output_width &&
                p->window.dilation_width == 1) {
                const int8_t *const first = input + next.offset;
                const int8_t *const runs[4] = {first, first + step, first + 2 * step, first + 3 * step};
                ts_dsp_patch_4_s8(scratch, runs, &shape);
                next.x += 4 * p->window.stride_width;
                next.offset += 4 * step;
                ox += 4;
            } else {
                ts_dsp_window at[4];
                next = ts_dsp_next_windows(p, next, &ox, 4, at);
                ts_dsp_patch(p, input, at, 4, &shape, scratch);
            }
            ts_dsp_multiply(p->multiply_4, &p->matmul, scratch, output);
            output += 4 * p->matmul.pixel_step;
            left -= 4;
        }
        for (; left > 0; left--) {
            ts_dsp_window at;
            next = ts_dsp_next_windows(p, next, &ox, 1, &at);
            ts_dsp_patch(p, input, &at, 1, &shape, scratch);
            ts_dsp_multiply(p->multiply_1, &p->matmul, scratch, output);
            output += p->matmul.pixel_step;
        }
    }
}

#endif
