/* SPDX-License-Identifier: Apache-2.0 */
/* DEPTHWISE_CONV_2D, int8, 3x3, channel multiplier 1, dilation 1, for Helium.
 *
 * Input  [input_height, input_width, channels], output [output_height, output_width, channels], NHWC, batch 1.
 * Equals ts_depthwise_conv_2d_s8 (and so TFLM's reference_integer_ops::DepthwiseConvPerChannel) byte for byte, for
 * right shifts only.
 *
 * The nine inputs of one channel are not neighbours in NHWC. For 16 channels at a time, four columns of a row are
 * interleaved by VST4, so that a channel's four columns become one 32-bit word; one gather load then fetches
 * the words of three rows and one VMLADAV does the nine taps. Four columns serve two outputs at stride 1: the second
 * uses the weights shifted by one column. Each input row is interleaved once and kept for the three output rows that
 * read it.
 *
 * The outermost loop is over blocks of 16 channels. A row of a block is read before the output row that may
 * lie in its place is written, and no block reads what another wrote: the output may be the input at stride 1.
 */
#ifndef TS_KERNELS_MVE_DEPTHWISE_CONV_2D_H
#define TS_KERNELS_MVE_DEPTHWISE_CONV_2D_H

#include "../common/depthwise_3x3.h"
#include "../common/params.h"
#include "matmul.h"

typedef struct {
    const int8_t *weights; /* per channel 3 rows of {w0, w1, w2, 0} and 4 zeros, which meet an arbitrary fourth row */
    const int32_t *requant;
    ts_depthwise_3x3 shape;
    ts_mve_output output;
} ts_mve_depthwise_conv_2d_params;

/* Scratch: three rows of words; a row has 64 bytes per pair of outputs at stride 1 and per output
 * at stride 2. */
#define TS_MVE_DEPTHWISE_SCRATCH_BYTES(output_width, stride)                                                           \
    (3 * 64 * ((stride) == 1 ? ((output_width) + 1) / 2 : (output_width)))

/* Interleaves four columns of 16 channels from column x on; columns outside of the input are zero points. */
TS_MVE_INLINE void ts_mve_depthwise_columns(const ts_mve_depthwise_conv_2d_params *p, const int8_t *row, int32_t x,
                                            int8x16_t zero, mve_pred16_t lanes, int8_t *words)
{
    const int32_t channels = p->shape.channels;
    const int8_t *from = row + x * channels;
    int8x16x4_t column = {{zero, zero, zero, zero}};
    if (x >= 0 && x + 4 <= p->shape.input_width && lanes == 0xFFFF) {
        column.val[0] = vldrbq_s8(from);
        from += channels;
        column.val[1] = vldrbq_s8(from);
        from += channels;
        column.val[2] = vldrbq_s8(from);
        from += channels;
        column.val[3] = vldrbq_s8(from);
    } else {
        const int32_t inside = p->shape.input_width - x;
        if (x >= 0 && inside > 0) {
            column.val[0] = vldrbq_z_s8(from, lanes);
        }
        from += channels;
        if (x >= -1 && inside > 1) {
            column.val[1] = vldrbq_z_s8(from, lanes);
        }
        from += channels;
        if (x >= -2 && inside > 2) {
            column.val[2] = vldrbq_z_s8(from, lanes);
        }
        if (inside > 3) {
            column.val[3] = vldrbq_z_s8(from + channels, lanes);
        }
    }
    vst4q_s8(words, column);
}

/* One input row of 16 channels as words, one per group of outputs; a row outside of the input is zero points. */
TS_MVE_INLINE void ts_mve_depthwise_row(const ts_mve_depthwise_conv_2d_params *p, const int8_t *input, int32_t y,
                                        int32_t groups, mve_pred16_t lanes, int8_t *words)
{
    const int8x16_t zero = vdupq_n_s8((int8_t)p->shape.input_zero_point);
    if (y < 0 || y >= p->shape.input_height) {
        for (int32_t i = 0; i < groups * 64; i += 16) {
            vstrbq_s8(words + i, zero);
        }
        return;
    }
    const int8_t *row = input + y * p->shape.input_width * p->shape.channels;
    int32_t x = -p->shape.pad_left;
    for (int32_t group = 0; group < groups; ++group) {
        ts_mve_depthwise_columns(p, row, x, zero, lanes, words);
        x += 2;
        words += 64;
    }
}

/* Sixteen channels of one or two (`pair`) neighbouring output pixels; `rows` are the addresses of their words. */
TS_MVE_INLINE void ts_mve_depthwise_block(const ts_mve_depthwise_conv_2d_params *p, uint32x4_t rows, int32_t first,
                                          const int32_t count, const int32_t pair, const int32_t exact_ties, int8_t *to)
{
    int32_t acc[32] __attribute__((aligned(16)));
    const int8_t *weights = p->weights + first * 16;
#define TS_MVE_CHANNEL(channel)                                                                                        \
    {                                                                                                                  \
        const int8x16_t x = vreinterpretq_s8_s32(vldrwq_gather_base_s32(rows, (channel)*4));                           \
        const int8x16_t w = vldrbq_s8(weights);                                                                        \
        weights += 16;                                                                                                 \
        acc[(channel)*2] = vmladavq_s8(x, w);                                                                          \
        if (pair) {                                                                                                    \
            acc[(channel)*2 + 1] = vmladavq_s8(x, vreinterpretq_s8_s32(vshlq_n_s32(vreinterpretq_s32_s8(w), 8)));      \
        }                                                                                                              \
    }
#define TS_MVE_CHANNELS4(channel)                                                                                      \
    TS_MVE_CHANNEL(channel) TS_MVE_CHANNEL((channel) + 1) TS_MVE_CHANNEL((channel) + 2) TS_MVE_CHANNEL((channel) + 3)
    TS_MVE_CHANNELS4(0)
    TS_MVE_CHANNELS4(4)
    if (count > 8) {
        TS_MVE_CHANNELS4(8)
        TS_MVE_CHANNELS4(12)
    }
#undef TS_MVE_CHANNELS4
#undef TS_MVE_CHANNEL
    const int32_t *requant = p->requant + first / 4 * TS_MVE_REQUANT4;
    const ts_mve_output out = p->output;
    int8_t *to_next = to + p->shape.channels;
    for (int32_t channel = 0; channel < count; channel += 4) {
        const int32x4_t bias = vldrwq_s32(requant);
        const int32x4_t multiplier = vldrwq_s32(requant + 4);
        const int32x4_t shift = vldrwq_s32(requant + 8);
        const mve_pred16_t lanes = count == 16 ? 0xFFFF : vctp32q((uint32_t)(count - channel));
        const int32x4x2_t sums = vld2q_s32(acc + channel * 2);
        requant += TS_MVE_REQUANT4;
        ts_mve_store4(vaddq_s32(sums.val[0], bias), multiplier, shift, out, exact_ties, lanes, to + channel);
        if (pair) {
            ts_mve_store4(vaddq_s32(sums.val[1], bias), multiplier, shift, out, exact_ties, lanes, to_next + channel);
        }
    }
}

/* One block of up to 16 channels of the whole image. */
TS_MVE_INLINE void ts_mve_depthwise_channels(const ts_mve_depthwise_conv_2d_params *p, const int8_t *input,
                                             int8_t *output, int8_t *words, int32_t first, const int32_t count,
                                             const int32_t stride, const int32_t exact_ties)
{
    const int32_t groups = stride == 1 ? (p->shape.output_width + 1) / 2 : p->shape.output_width;
    const int32_t row_bytes = groups * 64;
    const mve_pred16_t lanes = count == 16 ? 0xFFFF : vctp8q((uint32_t)count);
    int8_t *row[3] = {words, words + row_bytes, words + 2 * row_bytes};
    int32_t in_y = -p->shape.pad_top;
    ts_mve_depthwise_row(p, input + first, in_y, groups, lanes, row[0]);
    if (stride == 1) {
        ts_mve_depthwise_row(p, input + first, in_y + 1, groups, lanes, row[1]);
    }
    for (int32_t y = 0; y < p->shape.output_height; ++y) {
        if (stride == 2) {
            ts_mve_depthwise_row(p, input + first, in_y + 1, groups, lanes, row[1]);
        }
        ts_mve_depthwise_row(p, input + first, in_y + 2, groups, lanes, row[2]);
        uint32x4_t rows = {(uint32_t)(uintptr_t)row[0], (uint32_t)(uintptr_t)row[1], (uint32_t)(uintptr_t)row[2],
                           (uint32_t)(uintptr_t)row[0]};
        int8_t *to = output + first + y * p->shape.output_width * p->shape.channels;
        int32_t left = p->shape.output_width;
        if (stride == 1) {
            for (; left >= 2; left -= 2) {
                ts_mve_depthwise_block(p, rows, first, count, 1, exact_ties, to);
                rows = vaddq_n_u32(rows, 64);
                to += 2 * p->shape.channels;
            }
        }
        for (; left > 0; --left) {
            ts_mve_depthwise_block(p, rows, first, count, 0, exact_ties, to);
            rows = vaddq_n_u32(rows, 64);
            to += p->shape.channels;
        }
        int8_t *const oldest = row[0];
        if (stride == 1) {
            row[0] = row[1];
            row[1] = row[2];
            row[2] = oldest;
        } else {
            row[0] = row[2];
            row[2] = oldest;
        }
        in_y += stride;
    }
}

/* `words` is scratch of TS_MVE_DEPTHWISE_SCRATCH_BYTES. */
TS_MVE_INLINE void ts_mve_depthwise(const ts_mve_depthwise_conv_2d_params *p, const int8_t *input, int8_t *output,
                                    int8_t *words, const int32_t stride, const int32_t exact_ties)
{
    int32_t first = 0;
    for (; first + 16 <= p->shape.channels; first += 16) {
        ts_mve_depthwise_channels(p, input, output, words, first, 16, stride, exact_ties);
    }
    if (first < p->shape.channels) {
        ts_mve_depthwise_channels(p, input, output, words, first, p->shape.channels - first, stride, exact_ties);
    }
}

#define TS_MVE_DEPTHWISE(suffix, stride, exact_ties)                                                                   \
    TS_MVE_KERNEL void ts_mve_depthwise_conv_2d_##suffix(const ts_mve_depthwise_conv_2d_params *p,                     \
                                                         const int8_t *input, int8_t *output, int8_t *words)           \
    {                                                                                                                  \
        ts_mve_depthwise(p, input, output, words, stride, exact_ties);                                                 \
    }

TS_MVE_DEPTHWISE(s1, 1, 0)
TS_MVE_DEPTHWISE(s2, 2, 0)
TS_MVE_DEPTHWISE(s1_ties, 1, 1)
TS_MVE_DEPTHWISE(s2_ties, 2, 1)

#endif
