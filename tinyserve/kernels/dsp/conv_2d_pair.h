/* SPDX-License-Identifier: Apache-2.0 */
/* CONV_2D int8 as in conv_2d.h, 2 pixels at a time: half the patch. Bytes equal those of ts_conv_2d_s8; all of the
 * output's range must be allowed (activation -128..127).
 *
 * The output is written in ascending order, 2 pixels at a time, each after its taps have been read. */
#ifndef TS_DSP_CONV_2D_PAIR_H
#define TS_DSP_CONV_2D_PAIR_H

#include <stdint.h>

#include "conv_2d.h"
#include "matmul.h"

/* one: for the last pixel of an odd number. */
typedef struct {
    ts_dsp_conv_2d_1x1_s8_params one;
    ts_dsp_matmul_function *multiply_2;
} ts_dsp_conv_2d_1x1_pair_s8_params;

/* 1x1 filters with stride 1. scratch: the patches of 2 pixels, 4 bytes per step. */
TS_DSP_SHARED void ts_dsp_conv_2d_1x1_pair_s8(const ts_dsp_conv_2d_1x1_pair_s8_params *p, const int8_t *input,
                                              int8_t *output, int32_t *scratch)
{
    const ts_dsp_matmul *const matmul = &p->one.matmul;
    const int32_t size = p->one.input_bytes;
    const ts_dsp_runs run = {size / 4, size % 4, 1, 0};
    int32_t left = p->one.pixels;
    for (; left >= 2; left -= 2) {
        ts_dsp_patch_1_s8(scratch, input, &run);
        ts_dsp_patch_1_s8(scratch + matmul->steps, input + size, &run);
        ts_dsp_multiply(p->multiply_2, matmul, scratch, output);
        input += 2 * size;
        output += 2 * matmul->pixel_step;
    }
    if (left > 0) {
        ts_dsp_patch_1_s8(scratch, input, &run);
        ts_dsp_multiply(p->one.multiply_1, matmul, scratch, output);
    }
}

/* one: for the last pixel of an odd number; its patch_words are those of 2 pixels. */
typedef struct {
    ts_dsp_conv_2d_s8_params one;
    ts_dsp_matmul_function *multiply_2;
} ts_dsp_conv_2d_pair_s8_params;

/* Any filter, stride, dilation and padding. Behind the patches scratch holds what it does in ts_dsp_conv_2d_s8. */
TS_DSP_SHARED void ts_dsp_conv_2d_pair_s8(const ts_dsp_conv_2d_pair_s8_params *p, const int8_t *input, int8_t *output,
                                          int32_t *scratch)
{
    const ts_sliding_window *const window = &p->one.window;
    const ts_dsp_matmul *const matmul = &p->one.matmul;
    const int32_t row_bytes = window->input_width * window->input_channels;
    const int32_t filter_bytes = window->filter_width * window->input_channels;
    const ts_dsp_runs shape = {filter_bytes / 4, filter_bytes % 4, window->filter_height,
                               row_bytes * window->dilation_height - filter_bytes};
    ts_dsp_conv_2d_s8_params second = p->one; /* its padding lies in the same place */
    second.patch_words -= matmul->steps;
    ts_dsp_fill_taps((int8_t *)(scratch + p->one.patch_words), 4 * p->one.row_words, p->one.input_zero_point);
    for (int32_t b = 0; b < window->batches; b++, input += window->input_height * row_bytes) {
        int32_t left = window->output_height * window->output_width, ox = 0;
        ts_dsp_window next = {-window->pad_top, -window->pad_left,
                              -window->pad_top * row_bytes - window->pad_left * window->input_channels};
        ts_dsp_window at[2];
        for (; left >= 2; left -= 2) {
            next = ts_dsp_next_windows(&p->one, next, &ox, 2, at);
            ts_dsp_patch(&p->one, input, &at[0], 1, &shape, scratch);
            ts_dsp_patch(&second, input, &at[1], 1, &shape, scratch + matmul->steps);
            ts_dsp_multiply(p->multiply_2, matmul, scratch, output);
            output += 2 * matmul->pixel_step;
        }
        if (left > 0) {
            next = ts_dsp_next_windows(&p->one, next, &ox, 1, at);
            ts_dsp_patch(&p->one, input, at, 1, &shape, scratch);
            ts_dsp_multiply(p->one.multiply_1, matmul, scratch, output);
            output += matmul->pixel_step;
        }
    }
}

#endif
