/* SPDX-License-Identifier: Apache-2.0 */
/* DEPTHWISE_CONV_2D int8 3x3, multiplier 1, strides 1 and 2. All of int8 must be allowed as output.
 *
 * Works on 4 channels at a time, down the image two rows at a time: rows are widened, padded and sorted by channel in
 * scratch ("slots", see depthwise.S), so that the output may take the input's place where both have one shape.
 * "Rows" may be the image's columns: the compiler turns it where that makes fewer or fuller strips. */
#ifndef TS_DSP_DEPTHWISE_CONV_2D_H
#define TS_DSP_DEPTHWISE_CONV_2D_H

#include <stdint.h>

#include "common.h"

#ifdef __cplusplus
extern "C" {
#endif

/* How a row is gathered, in columns. padding: 4 zero points. first_padding: 1 if a column of padding comes first.
 * pairs: whole pairs after it. single: 1 if a last column stands alone. padding_pairs: pairs of padding at the end. */
typedef struct {
    int32_t column_step, padding;
    int16_t first_padding, pairs, single, padding_pairs;
} ts_dsp_gather;

typedef struct {
    const int32_t *top, *bottom, *weights;
    int8_t *output0, *output1;
    int32_t output_step, channels, bytes, odd;
} ts_dsp_strip;

void ts_dsp_depthwise_gather(int32_t *slot, const int8_t *row0, const int8_t *row1, const ts_dsp_gather *gather);
/* Two rows of stride 1, a single one, one of stride 2. relu: for outputs with zero point -128. */
void ts_dsp_depthwise_3x3_s1(const ts_dsp_strip *strip);
void ts_dsp_depthwise_3x3_s1_relu(const ts_dsp_strip *strip);
void ts_dsp_depthwise_3x3_single(const ts_dsp_strip *strip);
void ts_dsp_depthwise_3x3_single_relu(const ts_dsp_strip *strip);
void ts_dsp_depthwise_3x3_s2(const ts_dsp_strip *strip);
void ts_dsp_depthwise_3x3_s2_relu(const ts_dsp_strip *strip);

#ifdef __cplusplus
}
#endif

/* weights: 9 half-words per channel: 9 weights and the scale's exponent d as bytes, bias times 2^d, multiplier.
 * rounding: twice the output's zero point plus one. rows_per_strip: output rows, 2 for stride 1 and 1 for stride 2.
 * last_strip: for the last strip. slot_pairs: columns of a slot in pairs. strip_pairs: pairs of output columns (stride
 * 2: output columns). */
typedef struct {
    ts_dsp_gather gather;
    void (*strip)(const ts_dsp_strip *strip);
    void (*last_strip)(const ts_dsp_strip *strip);
    const uint16_t *weights;
    int32_t input_row_step, input_bytes;
    int32_t output_row_step, output_column_step, output_bytes;
    int16_t batches, channels, input_rows, output_rows;
    int16_t rows_per_strip, pad_rows, slot_pairs, strip_pairs, odd;
    int16_t rounding;
} ts_dsp_depthwise_conv_2d_s8_params;

#define TS_DSP_DEPTHWISE_WORDS 10 /* expanded weights of a channel */

/* Weights times 2^d, as the strips read them: (w0, w1), (w1, w2) of each row, bias, multiplier, C, step
 * of a tie. */
TS_DSP_SHARED void ts_dsp_depthwise_expand(const uint16_t *record, int32_t rounding, int32_t *expanded)
{
    const int8_t *const w = (const int8_t *)record;
    const int32_t d = w[9];
    for (int32_t row = 0; row < 3; row++) {
        const uint32_t w0 = (uint32_t)w[3 * row] << d, w1 = (uint32_t)w[3 * row + 1] << d;
        const uint32_t w2 = (uint32_t)w[3 * row + 2] << d;
        expanded[2 * row] = (int32_t)((w0 & 0xffff) | w1 << 16);
        expanded[2 * row + 1] = (int32_t)((w1 & 0xffff) | w2 << 16);
    }
    expanded[6] = (int32_t)(record[5] | (uint32_t)record[6] << 16);
    expanded[7] = (int32_t)(record[7] | (uint32_t)record[8] << 16);
    /* Zero point and half an output step, times 2^10; half a unit of the multiplier's product. */
    expanded[8] = rounding * (1 << 9) + (1 << (d - 2));
    expanded[9] = -(1 << (d - 1));
}

/* Rows y and y + 1 of 4 channels to a slot; rows outside are padding. */
TS_DSP_SHARED void ts_dsp_depthwise_slot(const ts_dsp_depthwise_conv_2d_s8_params *p, const int8_t *input, int32_t y,
                                         int32_t *slot)
{
    const int inside[2] = {y >= 0 && y < p->input_rows, y + 1 >= 0 && y + 1 < p->input_rows};
    const int8_t *const row0 = input + (inside[0] ? y : y + 1) * p->input_row_step;
    const int8_t *const row1 = inside[1] ? input + (y + 1) * p->input_row_step : row0;
    if (inside[0] || inside[1]) {
        ts_dsp_depthwise_gather(slot, row0, row1, &p->gather);
    }
    const int8_t zero_point = (int8_t)(p->gather.padding & 0xff);
    const int32_t pair = (int32_t)((uint32_t)zero_point << 16) | (zero_point & 0xffff);
    for (int32_t row = 0; row < 2; row++) {
        for (int32_t i = row; !inside[row] && i < 8 * p->slot_pairs; i += 2) {
            slot[i] = pair;
        }
    }
}

/* Bytes of scratch. */
#define TS_DSP_DEPTHWISE_SCRATCH_BYTES(slot_pairs) (4 * (4 * TS_DSP_DEPTHWISE_WORDS + 2 * 8 * (slot_pairs)))

/* scratch: expanded weights of 4 channels and two slots. */
TS_DSP_SHARED void ts_dsp_depthwise_conv_2d_s8(const ts_dsp_depthwise_conv_2d_s8_params *p, const int8_t *input,
                                               int8_t *output, int32_t *scratch)
{
    const int32_t work = p->batches * p->channels;
    int32_t lanes = 0;
    for (int32_t done = 0, channel = 0; done < work; done += lanes, channel += lanes) {
        if (channel == p->channels) {
            channel = 0;
            input += p->input_bytes;
            output += p->output_bytes;
        }
        /* The last 1 to 3 channels are read as the upper ones of 4. */
        lanes = p->channels - channel < 4 ? p->channels - channel : 4;
        const int32_t first = channel + lanes - 4 < 0 ? 0 : 4 - lanes;
        const int8_t *const source = input + channel - first;
        for (int32_t i = 0; i < lanes; i++) {
            ts_dsp_depthwise_expand(p->weights + (channel + i) * 9, p->rounding, scratch + i * TS_DSP_DEPTHWISE_WORDS);
        }
        int32_t *top = scratch + 4 * TS_DSP_DEPTHWISE_WORDS, *bottom = top + 8 * p->slot_pairs;
        ts_dsp_depthwise_slot(p, source, -p->pad_rows, top);
        int32_t y = 2 - p->pad_rows;
        int8_t *row = output + channel;
        for (int32_t oy = 0; oy < p->output_rows; oy += p->rows_per_strip, y += 2) {
            ts_dsp_depthwise_slot(p, source, y, bottom);
            int8_t *const next = oy + 1 < p->output_rows ? row + p->output_row_step : row;
            const ts_dsp_strip strip = {top + 2 * first, bottom + 2 * first,  scratch, row, next, p->output_column_step,
                                        lanes,           p->strip_pairs * 32, p->odd};
            (oy + p->rows_per_strip < p->output_rows ? p->strip : p->last_strip)(&strip);
            row += p->rows_per_strip * p->output_row_step;
            int32_t *const swap = top;
            top = bottom;
            bottom = swap;
        }
    }
}

#endif
