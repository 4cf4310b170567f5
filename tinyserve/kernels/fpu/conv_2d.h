/* SPDX-License-Identifier: Apache-2.0 */
/* CONV_2D float32 on a single-precision FPU: two neighbouring pixels times four channels in registers.
 *
 * Input [batches][height][width][channels], output [batches][height][width][output channels], ungrouped, undilated.
 * Sums run in the order of ts_conv_2d_f32, tap after tap, so the bits are the same. Pixels are written in ascending
 * order, two or one at a time; their inputs are read until the last of their channels is written.
 */
#ifndef TS_FPU_CONV_2D_H
#define TS_FPU_CONV_2D_H

#include <stdint.h>

#include "../common/params.h"
#include "common/window.h"

#if defined(__ARM_ARCH) && !(defined(__ARM_FP) && (__ARM_FP & 4))
#error "this kernel needs a single-precision FPU: build for one, or compile the model without it"
#endif

typedef struct {
    const float *weights;     /* [groups of 4 channels][height][width][channels][4], missing channels zero */
    const float *bias;        /* [groups][4] */
    ts_sliding_window window; /* undilated */
    int32_t output_channels;
    ts_activation_f32 activation;
} ts_fpu_conv_2d_f32_params;

/* What two pixels read: `rows` runs of `run` inputs each, `step` apart, and as many quadruples of weights. */
typedef struct {
    const float *first, *second;
    const float *weights;
    int32_t rows, run, step, weights_step;
} ts_fpu_conv_window;

/* Sums of four channels of two pixels; with one pixel `second` is `first`. */
static __attribute__((noinline)) void ts_fpu_conv_sums(const ts_fpu_conv_window *window, float *sums)
{
    const float *a = window->first, *b = window->second, *w = window->weights;
    float a0 = 0.0f, a1 = 0.0f, a2 = 0.0f, a3 = 0.0f;
    float b0 = 0.0f, b1 = 0.0f, b2 = 0.0f, b3 = 0.0f;
    for (int32_t row = window->rows; row > 0; row--) {
        for (int32_t left = window->run; left > 0; left--) {
            const float x = *a++, y = *b++;
            const float w0 = w[0], w1 = w[1], w2 = w[2], w3 = w[3];
            w += 4;
            a0 += w0 * x;
            b0 += w0 * y;
            a1 += w1 * x;
            b1 += w1 * y;
            a2 += w2 * x;
            b2 += w2 * y;
            a3 += w3 * x;
            b3 += w3 * y;
        }
        a += window->step - window->run;
        b += window->step - window->run;
        w += window->weights_step - 4 * window->run;
    }
    sums[0] = a0;
    sums[1] = a1;
    sums[2] = a2;
    sums[3] = a3;
    sums[4] = b0;
    sums[5] = b1;
    sums[6] = b2;
    sums[7] = b3;
}

/* All channels of `pixels` (1 or 2) neighbouring outputs. */
static inline void ts_fpu_conv_pixels(const ts_fpu_conv_2d_f32_params *p, ts_fpu_conv_window *window, int32_t pixels,
                                      float *output)
{
    const float *const weights = window->weights;
    const int32_t group_weights = 4 * p->window.filter_height * p->window.filter_width * p->window.input_channels;
    const float *bias = p->bias;
    for (int32_t channel = 0; channel < p->output_channels; channel += 4) {
        float sums[8];
        const int32_t left = p->output_channels - channel;
        ts_fpu_conv_sums(window, sums);
        for (int32_t pixel = 0; pixel < pixels; pixel++) {
            for (int32_t i = 0; i < 4 && i < left; i++) {
                float sum = sums[4 * pixel + i] + bias[i];
                output[pixel * p->output_channels + channel + i] = ts_activate_f32(p->activation, sum);
            }
        }
        bias += 4;
        window->weights += group_weights;
    }
    window->weights = weights;
}

static inline void ts_fpu_conv_2d_f32(const ts_fpu_conv_2d_f32_params *p, const float *input, float *output)
{
    const int32_t channels = p->window.input_channels;
    const int32_t row_elements = p->window.input_width * channels;
    const int32_t last_left = p->window.input_width - p->window.filter_width;
    ts_fpu_conv_window window;
    window.step = row_elements;
    window.weights_step = 4 * p->window.filter_width * channels;
    for (int32_t b = 0; b < p->window.batches; b++, input += p->window.input_height * row_elements) {
        for (int32_t oy = 0; oy < p->window.output_height; oy++) {
            const int32_t y0 = ts_window_top(&p->window, oy);
            const ts_taps rows = ts_taps_inside(y0, p->window.input_height, p->window.filter_height, 1);
            window.rows = rows.end - rows.begin;
            for (int32_t ox = 0; ox < p->window.output_width;) {
                const int32_t x0 = ts_window_left(&p->window, ox);
                const ts_taps columns = ts_taps_inside(x0, p->window.input_width, p->window.filter_width, 1);
                const int32_t pair =
                    ox + 1 < p->window.output_width && x0 >= 0 && x0 + p->window.stride_width <= last_left;
                window.run = (columns.end - columns.begin) * channels;
                window.first = input + (y0 + rows.begin) * row_elements + (x0 + columns.begin) * channels;
                window.second = window.first + (pair ? p->window.stride_width * channels : 0);
                window.weights = p->weights + 4 * (rows.begin * p->window.filter_width + columns.begin) * channels;
                ts_fpu_conv_pixels(p, &window, pair ? 2 : 1, output);
                output += (pair ? 2 : 1) * p->output_channels;
                ox += pair ? 2 : 1;
            }
        }
    }
}

#endif
