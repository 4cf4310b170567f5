/* SPDX-License-Identifier: Apache-2.0 */
/* DEPTHWISE_CONV_2D int8 of any filter, stride, dilation and channel multiplier, for Armv6-M.
 *
 * Works on one input channel at a time: as many rows as a strip of outputs reads are widened to words, with their
 * padding. A row is split by its columns' remainders by the stride, and rows by theirs, into sub-planes of one pitch,
 * so that the inputs of neighbouring outputs are neighbours for every tap. taps5.S sums runs of outputs: rows, or all
 * of a strip at once with what lies between its rows, which is not stored. "Rows" may be the image's columns: the
 * compiler turns it where that takes fewer instructions. Where all outputs come from one strip and channels are
 * multiplied by 1, the output may be the input.
 *
 * Equals ts_depthwise_conv_2d_s8 byte for byte, for right shifts and bounded accumulators (see requantize.h). */
#ifndef TS_KERNELS_THUMB1_DEPTHWISE_PLANE_H
#define TS_KERNELS_THUMB1_DEPTHWISE_PLANE_H

#include "../common/params.h"
#include "requantize.h"

/* taps: of each output channel `taps` pairs of a weight and a byte offset in the plane. pitch: words of a sub-plane's
 * row. sub_rows: words of the sub-planes of one remainder of rows. column_plane, row_plane: words from the sub-plane of
 * one remainder to the next one's. runs: sums of a strip are of so many runs (0: of one per row) of `groups` fives. */
typedef struct {
    const int32_t *taps;
    const int32_t *requant; /* ts_thumb1_channel, 8 words each */
    int32_t tap_count;
    int32_t input_channels, depth_multiplier;
    int32_t input_rows, input_columns, input_row_step, input_column_step;
    int32_t output_rows, output_columns, output_row_step, output_column_step;
    int32_t stride_rows, stride_columns, pad_rows, pad_columns;
    int32_t pitch, row_plane, column_plane, plane_words, plane_rows, strip_rows;
    int32_t one_run;
    int32_t input_zero_point;
    ts_activation activation;
} ts_thumb1_depthwise_plane_params;

typedef struct {
    const int32_t *first, *end;
} ts_thumb1_taps5_args;

/* taps5.S */
void ts_thumb1_taps5(const ts_thumb1_taps5_args *args, const int32_t *inputs, int32_t groups, int32_t *acc);

/* A row of inputs, dealt out to the sub-planes of their remainders; `column` is the first one's, padding counted. */
TS_THUMB1_INLINE void ts_thumb1_plane_row(const ts_thumb1_depthwise_plane_params *p, const int8_t *from, int32_t *row)
{
    const int32_t step = p->input_column_step, stride = p->stride_columns;
    for (int32_t phase = 0; phase < stride; ++phase) {
        /* The first input of this remainder. */
        int32_t first = phase - p->pad_columns % stride;
        first += first < 0 ? stride : 0;
        const int8_t *at = from + first * step;
        int32_t *to = row + phase * p->column_plane + (p->pad_columns + first) / stride;
        int32_t left = (p->input_columns - first + stride - 1) / stride;
        for (; left >= 4; left -= 4) {
            to[0] = *at;
            at += stride * step;
            to[1] = *at;
            at += stride * step;
            to[2] = *at;
            at += stride * step;
            to[3] = *at;
            at += stride * step;
            to += 4;
        }
        for (; left > 0; --left) {
            *to++ = *at;
            at += stride * step;
        }
    }
}

/* The rows from y on of one channel. Columns of padding are there already; so are rows, unless an earlier strip has
 * written there. */
TS_THUMB1_INLINE void ts_thumb1_fill_plane(const ts_thumb1_depthwise_plane_params *p, const int8_t *input, int32_t y,
                                           int32_t *plane)
{
    for (int32_t i = 0; i < p->plane_rows; ++i) {
        int32_t *row = plane + i % p->stride_rows * p->row_plane + i / p->stride_rows * p->pitch;
        if (y + i >= 0 && y + i < p->input_rows) {
            ts_thumb1_plane_row(p, input + (y + i) * p->input_row_step, row);
        } else if (p->strip_rows < p->output_rows) {
            for (int32_t phase = 0; phase < p->stride_columns; ++phase) {
                for (int32_t x = 0; x < p->pitch; ++x) {
                    row[phase * p->column_plane + x] = p->input_zero_point;
                }
            }
        }
    }
}

/* The output rows of a strip, of one output channel. */
TS_THUMB1_INLINE void ts_thumb1_plane_sums(const ts_thumb1_depthwise_plane_params *p, const int32_t *taps, int32_t rows,
                                           const int32_t *plane, int32_t *sums)
{
    const ts_thumb1_taps5_args args = {taps, taps + 2 * p->tap_count};
    if (p->one_run != 0) {
        ts_thumb1_taps5(&args, plane, ((rows - 1) * p->pitch + p->output_columns + 4) / 5, sums);
        return;
    }
    const int32_t groups = (p->output_columns + 4) / 5;
    for (; rows > 0; --rows) {
        ts_thumb1_taps5(&args, plane, groups, sums);
        plane += p->pitch;
        sums += 5 * groups;
    }
}

/* Bytes of scratch; sums: of a strip. */
#define TS_THUMB1_DEPTHWISE_PLANE_SCRATCH_BYTES(plane_words, sums) (4 * ((plane_words) + (sums)))

/* `plane` is scratch: the plane, what the last group reads beyond it, and the sums of a strip. */
TS_THUMB1_KERNEL void ts_thumb1_depthwise_plane_s8(const ts_thumb1_depthwise_plane_params *p, const int8_t *input,
                                                   int8_t *output, int32_t *plane)
{
    int32_t *const sums = plane + p->plane_words;
    const int32_t sums_row = p->one_run != 0 ? p->pitch : (p->output_columns + 4) / 5 * 5;
    for (int32_t i = 0; i < p->plane_words; ++i) {
        plane[i] = p->input_zero_point;
    }
    for (int32_t y = 0; y < p->output_rows; y += p->strip_rows) {
        const int32_t rows = p->output_rows - y < p->strip_rows ? p->output_rows - y : p->strip_rows;
        const ts_thumb1_store_args runs = {4 * p->output_columns, p->output_column_step, rows,
                                           4 * sums_row,          p->output_row_step,    0};
        const ts_thumb1_channel *channel = (const ts_thumb1_channel *)(const void *)p->requant;
        const int32_t *taps = p->taps;
        int8_t *to = output + y * p->output_row_step;
        for (int32_t c = 0; c < p->input_channels; ++c) {
            ts_thumb1_fill_plane(p, input + c, y * p->stride_rows - p->pad_rows, plane);
            for (int32_t i = p->depth_multiplier; i > 0; --i) {
                ts_thumb1_plane_sums(p, taps, rows, plane, sums);
                ts_thumb1_store_runs(sums, channel++, to++, &runs, p->activation);
                taps += 2 * p->tap_count;
            }
        }
    }
}

#endif
