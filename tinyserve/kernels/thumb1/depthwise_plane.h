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

/* taps: of each output channel tap_count pairs of a weight and a byte offset in the plane. places: where the first
 * inputs of a row go, one per remainder, in words; of each, `whole` follow, of the first `extra` one more. pitch: words
 * of a sub-plane's row. row_plane, column_plane: words from the sub-plane of one remainder to the next one's. one_run:
 * a strip's outputs are summed at once; groups of five that a strip (or a row) has, and the last strip. The compiler
 * divides: the core can't. */
typedef struct {
    const int32_t *taps;
    const int32_t *requant; /* ts_thumb1_channel, 8 words each */
    const int32_t *places;
    int32_t tap_count;
    int32_t input_channels, depth_multiplier;
    int32_t input_rows, whole, extra, input_row_step, input_column_step;
    int32_t output_rows, output_columns, output_row_step, output_column_step;
    int32_t stride_rows, stride_columns, pad_rows;
    int32_t pitch, row_plane, column_plane, plane_words, plane_rows, strip_rows;
    int32_t one_run, groups, last_groups;
    int32_t input_zero_point;
    ts_activation activation;
} ts_thumb1_depthwise_plane_params;

typedef struct {
    const int32_t *first, *end;
} ts_thumb1_taps5_args;

/* taps5.S */
void ts_thumb1_taps5(const ts_thumb1_taps5_args *args, const int32_t *inputs, int32_t groups, int32_t *acc);

/* A row of inputs, dealt out to the sub-planes of their remainders. */
TS_THUMB1_INLINE void ts_thumb1_plane_row(const ts_thumb1_depthwise_plane_params *p, const int8_t *from, int32_t *row)
{
    const int32_t step = p->stride_columns * p->input_column_step;
    for (int32_t i = 0; i < p->stride_columns; ++i, from += p->input_column_step) {
        const int8_t *at = from;
        int32_t *to = row + p->places[i];
        int32_t left = i < p->extra ? p->whole + 1 : p->whole;
        for (; left >= 4; left -= 4) {
            to[0] = *at;
            at += step;
            to[1] = *at;
            at += step;
            to[2] = *at;
            at += step;
            to[3] = *at;
            at += step;
            to += 4;
        }
        for (; left > 0; --left) {
            *to++ = *at;
            at += step;
        }
    }
}

/* A row of padding, in all sub-planes. */
TS_THUMB1_INLINE void ts_thumb1_pad_row(const ts_thumb1_depthwise_plane_params *p, int32_t *row)
{
    for (int32_t i = p->stride_columns; i > 0; --i, row += p->column_plane) {
        for (int32_t x = 0; x < p->pitch; ++x) {
            row[x] = p->input_zero_point;
        }
    }
}

/* The rows from y on of one channel. Columns of padding are there already; so are rows, unless an earlier strip has
 * written there. */
TS_THUMB1_INLINE void ts_thumb1_fill_plane(const ts_thumb1_depthwise_plane_params *p, const int8_t *input, int32_t y,
                                           int32_t *plane)
{
    int32_t remainder = 0;
    int32_t *row = plane;
    const int8_t *from = input + y * p->input_row_step;
    for (int32_t left = p->plane_rows; left > 0; --left, ++y, from += p->input_row_step) {
        if (y >= 0 && y < p->input_rows) {
            ts_thumb1_plane_row(p, from, row);
        } else if (p->strip_rows < p->output_rows) {
            ts_thumb1_pad_row(p, row);
        }
        row += p->row_plane;
        if (++remainder == p->stride_rows) {
            remainder = 0;
            plane += p->pitch;
            row = plane;
        }
    }
}

/* The output rows of a strip, of one output channel; sums_row: from a row's sums to the next one's. */
TS_THUMB1_INLINE void ts_thumb1_plane_sums(const ts_thumb1_depthwise_plane_params *p, const int32_t *taps, int32_t rows,
                                           int32_t sums_row, const int32_t *plane, int32_t *sums)
{
    const ts_thumb1_taps5_args args = {taps, taps + 2 * p->tap_count};
    if (p->one_run != 0) {
        ts_thumb1_taps5(&args, plane, rows == p->strip_rows ? p->groups : p->last_groups, sums);
        return;
    }
    for (; rows > 0; --rows) {
        ts_thumb1_taps5(&args, plane, p->groups, sums);
        plane += p->pitch;
        sums += sums_row;
    }
}

/* Bytes of scratch; sums: of a strip. */
#define TS_THUMB1_DEPTHWISE_PLANE_SCRATCH_BYTES(plane_words, sums) (4 * ((plane_words) + (sums)))

/* `plane` is scratch: the plane, what the last group reads beyond it, and the sums of a strip. */
TS_THUMB1_KERNEL void ts_thumb1_depthwise_plane_s8(const ts_thumb1_depthwise_plane_params *p, const int8_t *input,
                                                   int8_t *output, int32_t *plane)
{
    int32_t *const sums = plane + p->plane_words;
    const int32_t sums_row = p->one_run != 0 ? p->pitch : 5 * p->groups;
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
                ts_thumb1_plane_sums(p, taps, rows, sums_row, plane, sums);
                ts_thumb1_store_runs(sums, channel++, to++, &runs, p->activation);
                taps += 2 * p->tap_count;
            }
        }
    }
}

#endif
