/* SPDX-License-Identifier: Apache-2.0 */
/* DEPTHWISE_CONV_2D, int8, 3x3, channel multiplier 1, undilated, stride 1 or 2, batch 1, for RV32M.
 *
 * Input [input_height][input_width][channels], output [output_height][output_width][channels]. Equals
 * ts_depthwise_conv_2d_s8 (and so TFLM's reference_integer_ops::DepthwiseConvPerChannel) byte for byte, for the factors
 * and accumulators that requantize.h takes.
 *
 * One channel at a time, its input rows gathered with their padding to a band for some output rows; what the next band
 * shares with it is moved up. Input rows are gathered before the output rows that may lie in their place are written,
 * and no channel reads what another wrote: the output may be the input at stride 1. */
#ifndef TS_KERNELS_RV32M_DEPTHWISE_CONV_2D_H
#define TS_KERNELS_RV32M_DEPTHWISE_CONV_2D_H

#include "../common/depthwise_3x3.h"
#include "../common/params.h"
#include "requantize.h"

typedef struct {
    const int8_t *weights;  /* [channels][3][3] */
    const int32_t *requant; /* ts_rv32m_channel of each channel */
    ts_depthwise_3x3 shape;
    ts_activation activation;
    int32_t band_rows; /* output rows of a band */
} ts_rv32m_depthwise_conv_2d_params;

/* Three input rows of `pitch` bytes for each of `rows` rows of `width` outputs, which lie `step` bytes apart. */
typedef struct {
    const int8_t *row;
    int32_t pitch, width, rows, step;
    ts_activation activation;
} ts_rv32m_windows;

/* depthwise.S, by stride */
void ts_rv32m_windows_s1(const ts_rv32m_windows *windows, const int8_t weights[9], const ts_rv32m_channel *channel,
                         int8_t *output);
void ts_rv32m_windows_s2(const ts_rv32m_windows *windows, const int8_t weights[9], const ts_rv32m_channel *channel,
                         int8_t *output);

/* Bytes of a row of the band, and of all scratch. */
#define TS_RV32M_BAND_PITCH(output_width, stride) (((output_width)-1) * (stride) + 3)
#define TS_RV32M_BAND_BYTES(rows, output_width, stride)                                                                \
    ((((rows)-1) * (stride) + 3) * TS_RV32M_BAND_PITCH(output_width, stride))

TS_RV32M_INLINE int8_t *ts_rv32m_pad(int32_t value, int32_t count, int8_t *to)
{
    for (; count > 0; count--) {
        *to++ = (int8_t)value;
    }
    return to;
}

/* Row `y` of one channel with its padding, `pitch` bytes from column -pad_left on. */
static inline void ts_rv32m_gather_row(const ts_rv32m_depthwise_conv_2d_params *p, const int8_t *input, int32_t y,
                                       int32_t pitch, int8_t *to)
{
    if (y < 0 || y >= p->shape.input_height) {
        ts_rv32m_pad(p->shape.input_zero_point, pitch, to);
        return;
    }
    const int8_t *from = input + y * p->shape.input_width * p->shape.channels;
    const int32_t room = pitch - p->shape.pad_left;
    const int32_t inside = room < p->shape.input_width ? room : p->shape.input_width;
    to = ts_rv32m_pad(p->shape.input_zero_point, p->shape.pad_left, to);
#pragma GCC unroll 4
    for (int32_t i = 0; i < inside; i++) {
        to[i] = from[i * p->shape.channels];
    }
    ts_rv32m_pad(p->shape.input_zero_point, room - inside, to + inside);
}

TS_RV32M_INLINE void ts_rv32m_depthwise_channel(const ts_rv32m_depthwise_conv_2d_params *p, const int8_t *input,
                                                int8_t *output, int32_t index, int8_t *band, const int32_t stride)
{
    const ts_rv32m_channel *channel = (const ts_rv32m_channel *)(const void *)p->requant + index;
    const int8_t *weights = p->weights + 9 * index;
    const int32_t pitch = TS_RV32M_BAND_PITCH(p->shape.output_width, stride);
    int32_t y = -p->shape.pad_top, shared = 0;
    for (int32_t left = p->shape.output_height; left > 0; left -= p->band_rows) {
        const int32_t rows = left < p->band_rows ? left : p->band_rows;
        const int32_t height = (rows - 1) * stride + 3;
        for (int32_t row = shared; row < height; row++) {
            ts_rv32m_gather_row(p, input, y++, pitch, band + row * pitch);
        }
        const ts_rv32m_windows windows = {band, pitch, p->shape.output_width, rows, p->shape.channels, p->activation};
        if (stride == 1) {
            ts_rv32m_windows_s1(&windows, weights, channel, output);
        } else {
            ts_rv32m_windows_s2(&windows, weights, channel, output);
        }
        output += rows * p->shape.output_width * p->shape.channels;
        shared = 3 - stride;
        for (int32_t i = 0; i < shared * pitch; i++) {
            band[i] = band[rows * stride * pitch + i];
        }
    }
}

/* band: scratch of TS_RV32M_BAND_BYTES. */
static inline void ts_rv32m_depthwise_conv_2d_s1_s8(const ts_rv32m_depthwise_conv_2d_params *p, const int8_t *input,
                                                    int8_t *output, int8_t *band)
{
    for (int32_t c = 0; c < p->shape.channels; c++) {
        ts_rv32m_depthwise_channel(p, input + c, output + c, c, band, 1);
    }
}

static inline void ts_rv32m_depthwise_conv_2d_s2_s8(const ts_rv32m_depthwise_conv_2d_params *p, const int8_t *input,
                                                    int8_t *output, int8_t *band)
{
    for (int32_t c = 0; c < p->shape.channels; c++) {
        ts_rv32m_depthwise_channel(p, input + c, output + c, c, band, 2);
    }
}

#endif
