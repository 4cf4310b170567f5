/* SPDX-License-Identifier: Apache-2.0 */
/* CONV_2D int8, 3x3, stride 1, by Winograd's minimal filtering: winograd.S. Padded on the left and right to the width
 * of the input, above by pad_top rows and below by as many as the output takes.
 *
 * Input [input_height][width][input_channels], output [height][width][output_channels], batch 1; height even, width and
 * channels multiples of 4. Bytes equal those of ts_conv_2d_s8; all of the output's range must be allowed (activation
 * -128..127).
 *
 * Two rows of 4 output pixels are written at a time, after all inputs of their windows have been read. */
#ifndef TS_DSP_WINOGRAD_H
#define TS_DSP_WINOGRAD_H

#include <stdint.h>

#include "common.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
    int32_t steps, blocks; /* pairs of input channels, quads of output channels */
    const int32_t *weights;
    const int32_t *records;
    int32_t pixel_step, row_step; /* of the output, in bytes */
} ts_dsp_winograd;

typedef void ts_dsp_winograd_function(const ts_dsp_winograd *job, const int32_t *v, int32_t *m, int8_t *output);

ts_dsp_winograd_function ts_dsp_winograd_s8;
ts_dsp_winograd_function ts_dsp_winograd_relu_s8;
void ts_dsp_winograd_input(const int8_t *const rows[4], int32_t column_step, int32_t quads, int32_t *v);

#ifdef __cplusplus
}
#endif

typedef struct {
    ts_dsp_winograd job;
    ts_dsp_winograd_function *multiply;
    int32_t height, input_height, pad_top, width, input_channels, input_zero_point;
} ts_dsp_conv_2d_winograd_s8_params;

/* Four bytes of any alignment. */
static inline int32_t ts_dsp_word(const int8_t *from)
{
    int32_t word;
    __builtin_memcpy(&word, from, sizeof word);
    return word;
}

/* Rows of 6 columns from `y` and `x` on, which may be outside, copied with their padding to `window`. */
TS_DSP_SMALL void ts_dsp_winograd_border(const ts_dsp_conv_2d_winograd_s8_params *p, const int8_t *input, int32_t y,
                                         int32_t x, int32_t *window)
{
    const int32_t padding = (int32_t)((uint32_t)(uint8_t)p->input_zero_point * 0x01010101u);
    const int32_t quads = p->job.steps / 2;
    const int32_t begin = x < 0 ? -x : 0;
    const int32_t end = x + 6 > p->width ? p->width - x : 6;
    for (int32_t row = y; row < y + 4; row++, window += 6 * quads) {
        const int inside = row >= 0 && row < p->input_height;
        const int32_t first = inside ? begin * quads : 6 * quads;
        const int8_t *from = inside ? input + (row * p->width + x + begin) * p->input_channels : input;
        int32_t i = 0;
        for (; i < first; i++) {
            window[i] = padding;
        }
        for (; i < end * quads; i++, from += 4) {
            window[i] = ts_dsp_word(from);
        }
        for (; i < 6 * quads; i++) {
            window[i] = padding;
        }
    }
}

/* Bytes of scratch. */
#define TS_DSP_WINOGRAD_SCRATCH_BYTES(input_channels)                                                                  \
    (64 * (input_channels) + (24 * (input_channels) > 512 ? 24 * (input_channels) : 512))

/* scratch: 32 words per pair of input channels for the inputs, then 128 words for the products or, before them,
 * 24 bytes per input channel for a window at the border. */
TS_DSP_SHARED void ts_dsp_conv_2d_winograd_s8(const ts_dsp_conv_2d_winograd_s8_params *p, const int8_t *input,
                                              int8_t *output, int32_t *scratch)
{
    const int32_t channels = p->input_channels;
    int32_t *const m = scratch + 32 * p->job.steps;
    for (int32_t y = 0; y < p->height; y += 2) {
        const int32_t top = y - p->pad_top;
        for (int32_t x = 0; x < p->width; x += 4) {
            const int inside = top >= 0 && top + 4 <= p->input_height && x >= 1 && x + 5 <= p->width;
            const int8_t *from = (const int8_t *)m;
            if (inside) {
                from = input + (top * p->width + x - 1) * channels;
            } else {
                ts_dsp_winograd_border(p, input, top, x - 1, m);
            }
            const int32_t row_bytes = (inside ? p->width : 6) * channels;
            const int8_t *const rows[4] = {from, from + row_bytes, from + 2 * row_bytes, from + 3 * row_bytes};
            ts_dsp_winograd_input(rows, channels, p->job.steps / 2, scratch);
            p->multiply(&p->job, scratch, m, output + (y * p->width + x) * p->job.pixel_step);
        }
    }
}

#endif
