/* SPDX-License-Identifier: Apache-2.0 */
/* DEPTHWISE_CONV_2D, int8, any filter, dilation and channel multiplier, for Helium: channel by channel.
 *
 * Input [batches, height, width, channels], output [batches, height, width, channels x multiplier], NHWC. Equals
 * ts_depthwise_conv_2d_s8 (and so TFLM's reference_integer_ops::DepthwiseConvPerChannel) byte for byte, for right
 * shifts only.
 *
 * The inputs of one channel are gathered into a padded plane; plane.S computes that channel's outputs. "Rows" may be
 * the image's columns: the compiler turns it where that makes fewer, longer rows. Where all output rows come from one
 * plane and channels are multiplied by 1, the output may be the input: no channel reads what another wrote.
 */
#ifndef TS_KERNELS_MVE_DEPTHWISE_PLANE_H
#define TS_KERNELS_MVE_DEPTHWISE_PLANE_H

#include "matmul.h"

/* What plane.S reads, in its order. output_row_step and output_column_step: bytes between outputs. */
typedef struct {
    int32_t steps;
    const int32_t *table; /* per step its first byte, from the first tap on */
    const int8_t *weights;
    int32_t bias;
    const int8_t *plane;
    int32_t plane_row_step; /* bytes from an output row's inputs to the next one's */
    int8_t *output;
    int32_t output_row_step, rows, columns;
    int32_t multiplier, shift;
    ts_mve_output range;
    int32_t output_column_step;
} ts_mve_plane_job;

#ifdef __cplusplus
extern "C" {
#endif

/* By stride along a row. */
void ts_mve_plane_s1(const ts_mve_plane_job *job);
void ts_mve_plane_s1_ties(const ts_mve_plane_job *job);
void ts_mve_plane_s2(const ts_mve_plane_job *job);
void ts_mve_plane_s2_ties(const ts_mve_plane_job *job);
void ts_mve_plane_s3(const ts_mve_plane_job *job);
void ts_mve_plane_s3_ties(const ts_mve_plane_job *job);
void ts_mve_plane_s4(const ts_mve_plane_job *job);
void ts_mve_plane_s4_ties(const ts_mve_plane_job *job);

#ifdef __cplusplus
}
#endif

/* pitch: bytes of a plane's row. plane_rows: of strip_rows output rows. weights: 16 bytes per step. */
typedef struct {
    const int8_t *weights;
    const int32_t *requant; /* per output channel: bias, multiplier, negated shift */
    const int32_t *table;
    void (*channel)(const ts_mve_plane_job *job);
    int32_t steps, batches, output_channels, depth_multiplier;
    int32_t input_rows, input_columns, input_row_step, input_column_step, input_bytes;
    int32_t output_rows, output_columns, output_row_step, output_column_step, output_bytes;
    int32_t stride_rows, pad_rows, pad_columns;
    int32_t pitch, plane_rows, strip_rows;
    int32_t input_zero_point;
    ts_mve_output output;
} ts_mve_depthwise_plane_params;

/* One channel of rows y and on to the plane, whose columns of padding are there already. */
TS_MVE_INLINE void ts_mve_gather_plane(const ts_mve_depthwise_plane_params *p, const int8_t *input, int32_t y,
                                       int8_t *plane)
{
    const uint16x8_t offsets = vmulq_n_u16(vidupq_n_u16(0, 1), (uint16_t)p->input_column_step);
    const int16x8_t zero = vdupq_n_s16((int16_t)p->input_zero_point);
    int8_t *to = plane + p->pad_columns;
    const int8_t *from = input + y * p->input_row_step;
    for (int32_t row = 0; row < p->plane_rows; ++row) {
        const int32_t inside = y >= 0 && y < p->input_rows;
        const int8_t *source = from;
        int8_t *target = to;
        for (int32_t left = p->input_columns; left > 0; left -= 8) {
            const mve_pred16_t lanes = vctp16q((uint32_t)left);
            TS_STORE_LANES(vstrbq_p_s16, target, inside ? vldrbq_gather_offset_z_s16(source, offsets, lanes) : zero,
                           lanes);
            source += 8 * p->input_column_step;
            target += 8;
        }
        from += p->input_row_step;
        to += p->pitch;
        ++y;
    }
}

/* Bytes of scratch; vectors: of a row of taps. */
#define TS_MVE_PLANE_SCRATCH_BYTES(plane_rows, pitch, stride, vectors)                                                 \
    ((plane_rows) * (pitch) + 4 * (stride) + 16 * ((vectors) + 1))

/* `plane` is scratch of plane_rows x pitch bytes and what the last vectors read beyond them. */
TS_MVE_KERNEL void ts_mve_depthwise_plane(const ts_mve_depthwise_plane_params *p, const int8_t *input, int8_t *output,
                                          int8_t *plane)
{
    const int8x16_t zero = vdupq_n_s8((int8_t)p->input_zero_point);
    for (int32_t left = p->plane_rows * p->pitch, at = 0; left > 0; left -= 16, at += 16) {
        TS_STORE_LANES(vstrbq_p_s8, plane + at, zero, vctp8q((uint32_t)left));
    }
    ts_mve_plane_job job = {.steps = p->steps,
                            .table = p->table,
                            .plane = plane,
                            .plane_row_step = p->stride_rows * p->pitch,
                            .output_row_step = p->output_row_step,
                            .columns = p->output_columns,
                            .range = p->output,
                            .output_column_step = p->output_column_step};
    for (int32_t batch = 0; batch < p->batches; ++batch) {
        for (int32_t y = 0; y < p->output_rows; y += p->strip_rows) {
            const int32_t left = p->output_rows - y;
            const int32_t *requant = p->requant;
            job.rows = left < p->strip_rows ? left : p->strip_rows;
            job.weights = p->weights;
            job.output = output + y * p->output_row_step;
            for (int32_t channel = 0; channel < p->output_channels; ++channel) {
                ts_mve_gather_plane(p, input + channel, y * p->stride_rows - p->pad_rows, plane);
                for (int32_t i = 0; i < p->depth_multiplier; ++i) {
                    job.bias = requant[0];
                    job.multiplier = requant[1];
                    job.shift = requant[2];
                    p->channel(&job);
                    requant += 3;
                    job.weights += p->steps * 16;
                    ++job.output;
                }
            }
        }
        input += p->input_bytes;
        output += p->output_bytes;
    }
}

#endif
