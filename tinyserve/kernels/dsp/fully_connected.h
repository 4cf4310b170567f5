/* SPDX-License-Identifier: Apache-2.0 */
/* FULLY_CONNECTED int8 with one multiplier for all channels: 8 output channels at a time, see fully_connected.S.
 * Layers of fewer channels, or with a multiplier per channel, are convolutions of one pixel (conv_2d.h). */
#ifndef TS_DSP_FULLY_CONNECTED_H
#define TS_DSP_FULLY_CONNECTED_H

#include <stdint.h>

#include "common.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
    int32_t quads, tail;
    const uint32_t *weights;
    int32_t groups, multiplier, rounding, shift;
} ts_dsp_fully_connected;

/* The same without a scale: sums, 8 of each group. */
typedef struct {
    int32_t quads, tail;
    const uint32_t *weights;
    int32_t groups;
} ts_dsp_sums;

void ts_dsp_fully_connected_8(const ts_dsp_fully_connected *job, const int8_t *input, int8_t *output);
void ts_dsp_sums_8(const ts_dsp_sums *job, const int8_t *input, int32_t *sums);

#ifdef __cplusplus
}
#endif

/* group_words: weights of one group. With overlapping set, one more group computes the last 8 channels. */
typedef struct {
    ts_dsp_fully_connected job;
    int32_t batches, depth, channels, group_words, overlapping;
} ts_dsp_fully_connected_s8_params;

TS_DSP_SHARED void ts_dsp_fully_connected_s8(const ts_dsp_fully_connected_s8_params *p, const int8_t *input,
                                             int8_t *output)
{
    for (int32_t b = 0; b < p->batches; b++, input += p->depth, output += p->channels) {
        ts_dsp_fully_connected_8(&p->job, input, output);
        if (p->overlapping) {
            ts_dsp_fully_connected last = p->job;
            last.weights += p->job.groups * p->group_words;
            last.groups = 1;
            ts_dsp_fully_connected_8(&last, input, output + p->channels - 8);
        }
    }
}

#endif
