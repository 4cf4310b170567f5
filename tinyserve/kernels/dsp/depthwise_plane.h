/* SPDX-License-Identifier: Apache-2.0 */
/* DEPTHWISE_CONV_2D int8 of any filter, stride, dilation and channel multiplier. All of int8 must be allowed as output.
 *
 * Works on 4 output channels at a time: their inputs are widened into a padded plane, from which plane.S computes rows
 * of outputs. "Rows" may be the image's columns: the compiler turns it where that makes fewer, longer rows. Where all
 * output rows come from one plane and channels are multiplied by 1, the output may be the input. */
#ifndef TS_DSP_DEPTHWISE_PLANE_H
#define TS_DSP_DEPTHWISE_PLANE_H

#include <stdint.h>

#include "common.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What plane.S reads, in its order. run: taps of a run, up to 10. lanes: channels to store. output_row_step and
 * output_column_step: bytes between outputs. */
typedef struct {
    const int32_t *record, *runs_end;
    int32_t run, lanes;
    const int32_t *plane;
    int32_t plane_row_step; /* bytes from an output row's inputs to the next one's */
    int8_t *output;
    int32_t output_row_step, output_column_step, rows, columns;
} ts_dsp_plane_job;

/* By stride along a row; relu: the output's zero point is -128. */
void ts_dsp_plane_s1(const ts_dsp_plane_job *job);
void ts_dsp_plane_s1_relu(const ts_dsp_plane_job *job);
void ts_dsp_plane_s2(const ts_dsp_plane_job *job);
void ts_dsp_plane_s2_relu(const ts_dsp_plane_job *job);
void ts_dsp_plane_s3(const ts_dsp_plane_job *job);
void ts_dsp_plane_s3_relu(const ts_dsp_plane_job *job);
void ts_dsp_plane_s4(const ts_dsp_plane_job *job);
void ts_dsp_plane_s4_relu(const ts_dsp_plane_job *job);

void ts_dsp_plane_row(int32_t *to, const int8_t *from, int32_t step, int32_t count);
void ts_dsp_plane_lanes(int32_t *to, const int8_t *from, int32_t step, const int32_t *shape);

#ifdef __cplusplus
}
#endif

/* pitch: pixels of a plane's row. plane_rows: of strip_rows output rows. records: record_words per 4 channels, of which
 * runs_words come before the multipliers. */
typedef struct {
    const int32_t *records;
    void (*channels)(const ts_dsp_plane_job *job);
    int32_t record_words, runs_words, run;
    int32_t batches, input_channels, output_channels, depth_multiplier;
    int32_t input_rows, input_columns, input_row_step, input_column_step, input_bytes;
    int32_t output_rows, output_columns, output_row_step, output_column_step, output_bytes;
    int32_t stride_rows, pad_rows, pad_columns;
    int32_t pitch, plane_rows, strip_rows;
    int32_t input_zero_point;
} ts_dsp_depthwise_plane_s8_params;

/* Rows y and on, of the channels of lanes 0 to 3, to the plane, whose columns of padding are there already. */
TS_DSP_SHARED void ts_dsp_gather_plane(const ts_dsp_depthwise_plane_s8_params *p, const int8_t *input, int32_t y,
                                       const int32_t lane[4], int32_t *plane)
{
    const int32_t shape[4] = {p->input_columns, lane[1] - lane[0], lane[2] - lane[0], lane[3] - lane[0]};
    const int32_t pair = (int32_t)((uint32_t)p->input_zero_point << 16) | (p->input_zero_point & 0xffff);
    const int8_t *from = input + y * p->input_row_step + lane[0];
    int32_t *to = plane + 2 * p->pad_columns;
    for (int32_t row = 0; row < p->plane_rows; row++, y++) {
        if (y < 0 || y >= p->input_rows) {
            for (int32_t i = 0; i < 2 * p->input_columns; i++) {
                to[i] = pair;
            }
        } else if (shape[1] == 1 && shape[3] == 3) {
            ts_dsp_plane_row(to, from, p->input_column_step, p->input_columns);
        } else {
            ts_dsp_plane_lanes(to, from, p->input_column_step, shape);
        }
        from += p->input_row_step;
        to += 2 * p->pitch;
    }
}

/* All channels of the strip of output rows from y on. */
TS_DSP_SHARED void ts_dsp_depthwise_strip(const ts_dsp_depthwise_plane_s8_params *p, const int8_t *input,
                                          int8_t *output, int32_t y, int32_t *plane)
{
    const int32_t rows = p->output_rows - y < p->strip_rows ? p->output_rows - y : p->strip_rows;
    ts_dsp_plane_job job = {p->records,
                            p->records + p->runs_words,
                            p->run,
                            4,
                            plane,
                            8 * p->stride_rows * p->pitch,
                            output + y * p->output_row_step,
                            p->output_row_step,
                            p->output_column_step,
                            rows,
                            p->output_columns};
    int32_t gathered[2] = {-1, -1};
    for (int32_t channel = 0; channel < p->output_channels; channel += 4) {
        int32_t lane[4];
        for (int32_t i = 0; i < 4; i++) {
            const int32_t last = p->output_channels - 1;
            lane[i] = (channel + i < last ? channel + i : last) / p->depth_multiplier;
        }
        if (lane[0] != gathered[0] || lane[3] != gathered[1]) {
            ts_dsp_gather_plane(p, input, y * p->stride_rows - p->pad_rows, lane, plane);
            gathered[0] = lane[0];
            gathered[1] = lane[0] == lane[3] ? lane[3] : -1;
        }
        job.lanes = p->output_channels - channel < 4 ? p->output_channels - channel : 4;
        p->channels(&job);
        job.record += p->record_words;
        job.runs_end += p->record_words;
        job.output += 4;
    }
}

/* Bytes of scratch. The last pair of outputs reads a column beyond its row, and taps of weight 0 do. */
#define TS_DSP_PLANE_SCRATCH_BYTES(plane_rows, pitch, stride) (8 * ((plane_rows) * (pitch) + (stride) + 10))

/* `plane` is scratch of plane_rows x pitch pixels of 8 bytes and what the last outputs read beyond them. */
TS_DSP_SHARED void ts_dsp_depthwise_plane_s8(const ts_dsp_depthwise_plane_s8_params *p, const int8_t *input,
                                             int8_t *output, int32_t *plane)
{
    const int32_t pair = (int32_t)((uint32_t)p->input_zero_point << 16) | (p->input_zero_point & 0xffff);
    for (int32_t i = 0; i < 2 * p->plane_rows * p->pitch; i++) {
        plane[i] = pair;
    }
    for (int32_t batch = 0; batch < p->batches; batch++) {
        for (int32_t y = 0; y < p->output_rows; y += p->strip_rows) {
            ts_dsp_depthwise_strip(p, input, output, y, plane);
        }
        input += p->input_bytes;
        output += p->output_bytes;
    }
}

#endif
