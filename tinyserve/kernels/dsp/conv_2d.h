/* CONV_2D int8 by patches: the taps of 4 output pixels are widened to int16 and multiplied with packed weights.
 * Bytes equal those of ts_conv_2d_s8; all of the output's range must be allowed (activation -128..127).
 *
 * The output is written in ascending order, 4 pixels at a time, each after its taps have been read. */
#ifndef TS_DSP_CONV_2D_H
#define TS_DSP_CONV_2D_H

#include <stdint.h>

#include "matmul.h"

#if defined(__GNUC__)
#define TS_DSP_SHARED static __attribute__((noinline, unused)) /* one copy for all layers */
#else
#define TS_DSP_SHARED static
#endif

typedef struct {
    TS_DSP_MATMUL_FIELDS
    ts_dsp_matmul_function *multiply_4, *multiply_1;
    int32_t pixels;
    int32_t input_bytes; /* of a pixel */
} ts_conv_2d_1x1_dsp_s8_params;

/* 1x1 filters with stride 1. scratch: a patch, 16 bytes per step. */
TS_DSP_SHARED void ts_conv_2d_1x1_dsp_s8(const ts_conv_2d_1x1_dsp_s8_params *p, const int8_t *input, int8_t *output,
                                         int32_t *scratch)
{
    const ts_dsp_matmul *matmul = (const ts_dsp_matmul *)p;
    const int32_t size = p->input_bytes;
    const ts_dsp_runs run = {size / 4, size % 4, 1, 0};
    int32_t left = p->pixels;
    for (; left >= 4; left -= 4) {
        const int8_t *const pixels[4] = {input, input + size, input + 2 * size, input + 3 * size};
        ts_dsp_patch_4_s8(scratch, pixels, &run);
        ts_dsp_multiply(p->multiply_4, matmul, scratch, output);
        input += 4 * size;
        output += 4 * p->output_stride;
    }
    for (; left > 0; left--) {
        ts_dsp_patch_1_s8(scratch, input, &run);
        ts_dsp_multiply(p->multiply_1, matmul, scratch, output);
        input += size;
        output += p->output_stride;
    }
}

/* run_*: a row of the filter, or one tap where taps are apart (dilation) or rows cannot be padded bytewise.
 * A row of padding, run_bytes long, and 4 rows for windows that are partly outside follow the patch in scratch. */
typedef struct {
    TS_DSP_MATMUL_FIELDS
    ts_dsp_matmul_function *multiply_4, *multiply_1;
    int32_t batches;
    int32_t input_height, input_width, input_channels;
    int32_t filter_height, filter_width;
    int32_t output_height, output_width;
    int32_t stride_height, stride_width, dilation_height, dilation_width, pad_top, pad_left;
    int32_t input_zero_point;
    int32_t patch_words; /* where the padding row starts in scratch */
    int32_t row_words;   /* of the padding row */
} ts_conv_2d_dsp_s8_params;

/* Where the taps of an output pixel start in the input; both may lie outside. */
typedef struct {
    int32_t y, x;
} ts_dsp_origin;

/* One tap row of a pixel, widened or not: a pointer to the input where all of it is inside, to the row of padding where
 * none is, else to a copy made in row. */
static inline const int8_t *ts_dsp_tap_row(const ts_conv_2d_dsp_s8_params *p, const int8_t *input, ts_dsp_origin at,
                                           int32_t taps, const int8_t *padding, int8_t *row)
{
    if (at.y < 0 || at.y >= p->input_height || at.x <= -taps || at.x >= p->input_width) {
        return padding;
    }
    const int8_t *source = input + (at.y * p->input_width + at.x) * p->input_channels;
    if (at.x >= 0 && at.x + taps <= p->input_width) {
        return source;
    }
    const int32_t first = at.x < 0 ? -at.x * p->input_channels : 0;
    const int32_t inside = (p->input_width - at.x) * p->input_channels;
    const int32_t bytes = taps * p->input_channels;
    for (int32_t i = 0; i < bytes; i++) {
        row[i] = i >= first && i < inside ? source[i] : (int8_t)p->input_zero_point;
    }
    return row;
}

TS_DSP_SHARED void ts_dsp_conv_patch(const ts_conv_2d_dsp_s8_params *p, const int8_t *input, const ts_dsp_origin *at,
                                     int32_t pixels, int32_t *patch)
{
    const int32_t row_bytes = p->input_width * p->input_channels;
    const int8_t *runs[4];
    int8_t *const padding = (int8_t *)(patch + p->patch_words);
    const int32_t last_y = (p->filter_height - 1) * p->dilation_height;
    const int contiguous = p->dilation_width == 1;
    int inside = contiguous;
    for (int32_t i = 0; i < pixels; i++) {
        inside &= at[i].y >= 0 && at[i].y + last_y < p->input_height && at[i].x >= 0 &&
                  at[i].x + p->filter_width <= p->input_width;
        runs[i] = input + at[i].y * row_bytes + at[i].x * p->input_channels;
    }
    if (inside) {
        const int32_t bytes = p->filter_width * p->input_channels;
        const ts_dsp_runs shape = {bytes / 4, bytes % 4, p->filter_height, row_bytes * p->dilation_height - bytes};
        if (pixels == 4) {
            ts_dsp_patch_4_s8(patch, runs, &shape);
        } else {
            ts_dsp_patch_1_s8(patch, runs[0], &shape);
        }
        return;
    }
    /* Taps of whole words may be gathered one by one; others only as the row that the weights are packed for. */
    const int32_t taps = contiguous && p->input_channels % 4 != 0 ? p->filter_width : 1;
    const int32_t bytes = taps * p->input_channels;
    const ts_dsp_runs shape = {bytes / 4, bytes % 4, 1, 0};
    for (int32_t fy = 0; fy < p->filter_height; fy++) {
        for (int32_t fx = 0; fx < p->filter_width; fx += taps) {
            for (int32_t i = 0; i < pixels; i++) {
                const ts_dsp_origin tap = {at[i].y + fy * p->dilation_height, at[i].x + fx * p->dilation_width};
                runs[i] = ts_dsp_tap_row(p, input, tap, taps, padding, padding + (i + 1) * 4 * p->row_words);
            }
            patch = pixels == 4 ? ts_dsp_patch_4_s8(patch, runs, &shape) : ts_dsp_patch_1_s8(patch, runs[0], &shape);
        }
    }
}

/* Any filter, stride, dilation and padding. scratch: patch, padding row, and 4 rows more where windows can be partly
 * outside with channels that do not fill words. */
TS_DSP_SHARED void ts_conv_2d_dsp_s8(const ts_conv_2d_dsp_s8_params *p, const int8_t *input, int8_t *output,
                                     int32_t *scratch)
{
    const ts_dsp_matmul *matmul = (const ts_dsp_matmul *)p;
    int8_t *const padding = (int8_t *)(scratch + p->patch_words);
    for (int32_t i = 0; i < 4 * p->row_words; i++) {
        padding[i] = (int8_t)p->input_zero_point;
    }
    for (int32_t b = 0; b < p->batches; b++) {
        int32_t left = p->output_height * p->output_width, ox = 0;
        ts_dsp_origin next = {-p->pad_top, -p->pad_left};
        while (left > 0) {
            ts_dsp_origin at[4];
            const int32_t pixels = left >= 4 ? 4 : 1;
            for (int32_t i = 0; i < pixels; i++) {
                at[i] = next;
                next.x += p->stride_width;
                if (++ox == p->output_width) {
                    ox = 0;
                    next.x = -p->pad_left;
                    next.y += p->stride_height;
                }
            }
            ts_dsp_conv_patch(p, input, at, pixels, scratch);
            ts_dsp_multiply(pixels == 4 ? p->multiply_4 : p->multiply_1, matmul, scratch, output);
            output += pixels * p->output_stride;
            left -= pixels;
        }
        input += p->input_height * p->input_width * p->input_channels;
    }
}

#endif
