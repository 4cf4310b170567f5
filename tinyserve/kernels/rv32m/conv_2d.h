/* SPDX-License-Identifier: Apache-2.0 */
/* CONV_2D, int8, ungrouped, batch 1, for RV32M: four pixels times four channels at a time.
 *
 * Input [input_height][input_width][input_channels], output [output_height][output_width][output_channels]. Equals
 * ts_conv_2d_s8 (and so TFLM's reference_integer_ops::ConvPerChannel) byte for byte, for the factors and accumulators
 * that requantize.h takes.
 *
 * Output pixels are computed in ascending order, four at a time; their inputs are copied to the patch before the first
 * of them is written. */
#ifndef TS_KERNELS_RV32M_CONV_2D_H
#define TS_KERNELS_RV32M_CONV_2D_H

#include "../common/params.h"
#include "../common/window.h"
#include "dots.h"

typedef struct {
    const int8_t *weights;    /* [output channels / 4, rounded up][taps, rounded up to even][4], what is missing 0 */
    const int32_t *requant;   /* ts_rv32m_channel of each channel, missing ones, too */
    ts_sliding_window window; /* batch 1 */
    int32_t output_channels;
    int32_t input_zero_point;
    ts_activation activation;
} ts_rv32m_conv_2d_params;

/* Every fourth byte from `to` on. Both return where the next goes. */
TS_RV32M_INLINE int8_t *ts_rv32m_spread(const int8_t *from, int32_t count, int8_t *to)
{
#pragma GCC unroll 4
    for (const int8_t *const end = from + count; from != end; from++, to += TS_RV32M_PIXELS) {
        *to = *from;
    }
    return to;
}

TS_RV32M_INLINE int8_t *ts_rv32m_fill(int32_t value, int32_t count, int8_t *to)
{
    for (; count > 0; count--, to += TS_RV32M_PIXELS) {
        *to = (int8_t)value;
    }
    return to;
}

/* The inputs of a window that reaches beyond the input or is dilated, from row `top` and column `left` on, to one
 * column of the patch. */
static inline void ts_rv32m_gather_border(const ts_rv32m_conv_2d_params *p, const int8_t *input, int32_t top,
                                          int32_t left, int8_t *to)
{
    const int32_t channels = p->window.input_channels;
    for (int32_t ky = 0; ky < p->window.filter_height; ky++) {
        const int32_t y = top + ky * p->window.dilation_height;
        for (int32_t kx = 0; kx < p->window.filter_width; kx++) {
            const int32_t x = left + kx * p->window.dilation_width;
            if (y < 0 || y >= p->window.input_height || x < 0 || x >= p->window.input_width) {
                to = ts_rv32m_fill(p->input_zero_point, channels, to);
            } else {
                to = ts_rv32m_spread(input + (y * p->window.input_width + x) * channels, channels, to);
            }
        }
    }
}

/* All channels of up to four gathered pixels. Of fewer pixels or channels only those are copied to the output. */
static inline void ts_rv32m_pixels(const ts_rv32m_conv_2d_params *p, const int8_t *patch, int32_t taps, int32_t pixels,
                                   int8_t *output)
{
    const ts_rv32m_channel *channel = (const ts_rv32m_channel *)(const void *)p->requant;
    const int8_t *weights = p->weights;
    ts_rv32m_block block = {patch, patch + TS_RV32M_PIXELS * taps, p->output_channels, p->activation};
    for (int32_t left = p->output_channels; left > 0; left -= TS_RV32M_CHANNELS) {
        if (left >= TS_RV32M_CHANNELS && pixels == TS_RV32M_PIXELS) {
            ts_rv32m_dots_4x4(&block, weights, channel, output);
        } else {
            const int32_t count = left < TS_RV32M_CHANNELS ? left : TS_RV32M_CHANNELS;
            int8_t all[TS_RV32M_PIXELS * TS_RV32M_CHANNELS];
            block.pixel_step = TS_RV32M_CHANNELS;
            ts_rv32m_dots_4x4(&block, weights, channel, all);
            block.pixel_step = p->output_channels;
            for (int32_t i = 0; i < pixels; i++) {
                for (int32_t c = 0; c < count; c++) {
                    output[i * p->output_channels + c] = all[i * TS_RV32M_CHANNELS + c];
                }
            }
        }
        output += TS_RV32M_CHANNELS;
        weights += TS_RV32M_CHANNELS * taps;
        channel += TS_RV32M_CHANNELS;
    }
}

/* Bytes of scratch. */
#define TS_RV32M_CONV_2D_SCRATCH_BYTES(taps) (TS_RV32M_PIXELS * (((taps) + 1) / 2 * 2))

/* patch: scratch of 4 * taps bytes, taps rounded up to even. What an incomplete last group or an odd number of taps
 * leaves of it unwritten meets weights of zero or is not stored. */
static inline void ts_rv32m_conv_2d_s8(const ts_rv32m_conv_2d_params *p, const int8_t *input, int8_t *output,
                                       int8_t *patch)
{
    const int32_t run = p->window.filter_width * p->window.input_channels;
    const int32_t taps = (p->window.filter_height * run + 1) / 2 * 2;
    const int32_t row_step = p->window.dilation_height * p->window.input_width * p->window.input_channels;
    /* The last positions of windows that lie inside. */
    const int32_t last_top = p->window.input_height - 1 - (p->window.filter_height - 1) * p->window.dilation_height;
    const int32_t last_left = p->window.dilation_width == 1 ? p->window.input_width - p->window.filter_width : -1;
    int32_t filled = 0;
    for (int32_t i = 0; i < TS_RV32M_PIXELS * taps; i++) {
        patch[i] = 0;
    }
    for (int32_t oy = 0; oy < p->window.output_height; oy++) {
        const int32_t top = ts_window_top(&p->window, oy);
        int32_t left = -p->window.pad_left;
        for (int32_t ox = 0; ox < p->window.output_width; ox++, left += p->window.stride_width) {
            int8_t *to = patch + filled++;
            if (top >= 0 && top <= last_top && left >= 0 && left <= last_left) {
                const int8_t *from = input + (top * p->window.input_width + left) * p->window.input_channels;
                for (int32_t ky = p->window.filter_height; ky > 0; ky--, from += row_step) {
                    to = ts_rv32m_spread(from, run, to);
                }
            } else {
                ts_rv32m_gather_border(p, input, top, left, to);
            }
            if (filled == TS_RV32M_PIXELS) {
                ts_rv32m_pixels(p, patch, taps, TS_RV32M_PIXELS, output);
                output += TS_RV32M_PIXELS * p->output_channels;
                filled = 0;
            }
        }
    }
    if (filled > 0) {
        ts_rv32m_pixels(p, patch, taps, filled, output);
    }
}

#endif
