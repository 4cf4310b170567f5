/* SPDX-License-Identifier: Apache-2.0 */
/* DEPTHWISE_CONV_2D, int8, 3x3, channel multiplier 1, dilation 1, stride 1 or 2, for Armv6-M.
 *
 * Input [input_height, input_width, channels], output [output_height, output_width, channels], NHWC, batch 1.
 * Equals ts_depthwise_conv_2d_s8 (and so TFLM's reference_integer_ops::DepthwiseConvPerChannel) byte for byte, for
 * right shifts and bounded accumulators (see requantize.h).
 *
 * One channel at a time: each of its input rows is widened once to a row of words, with its padding, and kept
 * for the three output rows that read it. At stride 2 the even columns come first and then the odd ones, so
 * that the inputs of neighbouring outputs are neighbours for every tap. A small image at stride 1 is widened whole, so
 * that rows shorter than five outputs waste nothing.
 *
 * An input row is read before the output row that may lie in its place is written, and no channel reads what
 * another wrote: the output may be the input at stride 1.
 */
#ifndef TS_KERNELS_THUMB1_DEPTHWISE_CONV_2D_H
#define TS_KERNELS_THUMB1_DEPTHWISE_CONV_2D_H

#include "../common/depthwise_3x3.h"
#include "../common/params.h"
#include "requantize.h"

typedef struct {
    const int8_t *weights;  /* [channels][3][3]; at stride 2 the columns of a row in the order 0, 2, 1 */
    const int32_t *requant; /* ts_thumb1_channel, 8 words each */
    ts_depthwise_3x3 shape;
    ts_activation activation;
} ts_thumb1_depthwise_conv_2d_params;

typedef struct {
    const int32_t *row[3];
    int32_t third;
} ts_thumb1_row5_args;

/* row5.S */
void ts_thumb1_row5(const ts_thumb1_row5_args *args, const int8_t *weights, int32_t groups, int32_t *acc);
void ts_thumb1_row5_split(const ts_thumb1_row5_args *args, const int8_t *weights, int32_t groups, int32_t *acc);

/* Words of one widened row, and of all scratch: three rows and the sums of an output row. */
#define TS_THUMB1_ROW_WORDS(output_width, stride) ((stride) * (((output_width) + 4) / 5 * 5 + 2))
#define TS_THUMB1_DEPTHWISE_SCRATCH_WORDS(output_width, stride)                                                        \
    (3 * TS_THUMB1_ROW_WORDS(output_width, stride) + ((output_width) + 4) / 5 * 5)

/* For small images at stride 1: one channel with its padding as a whole, and its sums. The two sums between rows are of
 * windows that wrap around; they are computed and not stored. */
#define TS_THUMB1_PLANE_SUMS(height, width) (((height) * ((width) + 2) + 2) / 5 * 5)
#define TS_THUMB1_PLANE_SCRATCH_WORDS(height, width)                                                                   \
    (((height) + 2) * ((width) + 2) + 5 + TS_THUMB1_PLANE_SUMS(height, width))

/* Widens row `y` of one channel, from column -pad_left on. `half` is the words of one plane at stride 2. */
TS_THUMB1_INLINE void ts_thumb1_widen_row(const ts_thumb1_depthwise_conv_2d_params *p, const int8_t *input, int32_t y,
                                          int32_t words, const int32_t stride, int32_t *to)
{
    const int32_t zero = p->shape.input_zero_point;
    const int32_t half = words / stride;
    if (y < 0 || y >= p->shape.input_height) {
        for (int32_t i = 0; i < words; ++i) {
            to[i] = zero;
        }
        return;
    }
    const int8_t *from = input + y * p->shape.input_width * p->shape.channels;
    int32_t at = 0;
    for (; at < p->shape.pad_left; ++at) {
        to[stride == 1 ? at : (at & 1) * half + at / 2] = zero;
    }
    int32_t left = words - at < p->shape.input_width ? words - at : p->shape.input_width;
    if (stride == 1) {
        int32_t *word = to + at;
        at += left;
        for (; left >= 4; left -= 4) {
            word[0] = *from;
            from += p->shape.channels;
            word[1] = *from;
            from += p->shape.channels;
            word[2] = *from;
            from += p->shape.channels;
            word[3] = *from;
            from += p->shape.channels;
            word += 4;
        }
        for (; left > 0; --left) {
            *word++ = *from;
            from += p->shape.channels;
        }
    } else {
        int32_t *here = to + (at & 1) * half + at / 2;
        int32_t *next = to + ((at + 1) & 1) * half + (at + 1) / 2;
        at += left;
        for (; left > 1; left -= 2) {
            *here++ = *from;
            from += p->shape.channels;
            *next++ = *from;
            from += p->shape.channels;
        }
        if (left > 0) {
            *here = *from;
        }
    }
    for (; at < words; ++at) {
        to[stride == 1 ? at : (at & 1) * half + at / 2] = zero;
    }
}

TS_THUMB1_INLINE void ts_thumb1_depthwise_channel(const ts_thumb1_depthwise_conv_2d_params *p, const int8_t *input,
                                                  int8_t *output, int32_t *scratch, const int8_t *weights,
                                                  const ts_thumb1_channel *channel, const int32_t stride)
{
    const int32_t words = TS_THUMB1_ROW_WORDS(p->shape.output_width, stride);
    const int32_t groups = (p->shape.output_width + 4) / 5;
    int32_t *row[3] = {scratch, scratch + words, scratch + 2 * words};
    int32_t *acc = scratch + 3 * words;
    /* At stride 2, bytes from the end of the second tap's five words to the third's, in the plane of odd columns. */
    ts_thumb1_row5_args args = {{row[0], row[1], row[2]}, (words / 2 - 1) * 4 - 20};
    const ts_thumb1_store_args runs = {4 * p->shape.output_width, p->shape.channels, 1, 0, 0, 0};
    int32_t y = -p->shape.pad_top;
    ts_thumb1_widen_row(p, input, y++, words, stride, row[0]);
    if (stride == 1) {
        ts_thumb1_widen_row(p, input, y++, words, stride, row[1]);
    }
    for (int32_t left = p->shape.output_height; left > 0; --left) {
        if (stride == 2) {
            ts_thumb1_widen_row(p, input, y++, words, stride, row[1]);
        }
        ts_thumb1_widen_row(p, input, y++, words, stride, row[2]);
        args.row[0] = row[0];
        args.row[1] = row[1];
        args.row[2] = row[2];
        if (stride == 1) {
            ts_thumb1_row5(&args, weights, groups, acc);
        } else {
            ts_thumb1_row5_split(&args, weights, groups, acc);
        }
        ts_thumb1_store_runs(acc, channel, output, &runs, p->activation);
        output += p->shape.output_width * p->shape.channels;
        int32_t *const oldest = row[0];
        if (stride == 1) {
            row[0] = row[1];
            row[1] = row[2];
        } else {
            row[0] = row[2];
        }
        row[2] = oldest;
    }
}

/* One channel with a border of one on all sides, widened. The border is there already. */
TS_THUMB1_INLINE void ts_thumb1_widen_plane(const int8_t *from, int32_t height, int32_t width, int32_t channels,
                                            int32_t *plane)
{
    int32_t *to = plane + width + 3;
    for (; height > 0; --height) {
        for (int32_t left = width; left > 0; --left) {
            *to++ = *from;
            from += channels;
        }
        to += 2;
    }
}

/* Stride 1, padded by one on all sides. `plane` is scratch of TS_THUMB1_PLANE_SCRATCH_WORDS. */
TS_THUMB1_KERNEL void ts_thumb1_depthwise_conv_2d_planes_s8(const ts_thumb1_depthwise_conv_2d_params *p,
                                                            const int8_t *input, int8_t *output, int32_t *plane)
{
    const ts_thumb1_channel *channel = (const ts_thumb1_channel *)(const void *)p->requant;
    const int8_t *weights = p->weights;
    const int32_t row = p->shape.input_width + 2;
    const int32_t words = (p->shape.input_height + 2) * row + 5;
    const int32_t groups = TS_THUMB1_PLANE_SUMS(p->shape.input_height, p->shape.input_width) / 5;
    const ts_thumb1_row5_args args = {{plane, plane + row, plane + 2 * row}, 0};
    const ts_thumb1_store_args runs = {4 * p->shape.input_width,
                                       p->shape.channels,
                                       p->shape.input_height,
                                       4 * row,
                                       p->shape.input_width * p->shape.channels,
                                       0};
    for (int32_t i = 0; i < words; ++i) {
        plane[i] = p->shape.input_zero_point;
    }
    for (int32_t left = p->shape.channels; left > 0; --left) {
        ts_thumb1_widen_plane(input++, p->shape.input_height, p->shape.input_width, p->shape.channels, plane);
        ts_thumb1_row5(&args, weights, groups, plane + words);
        ts_thumb1_store_runs(plane + words, channel++, output++, &runs, p->activation);
        weights += 9;
    }
}

/* Stride 2, small images: the channel is split by the parity of rows and columns into four planes, even rows first and
 * even columns first, so that the inputs of neighbouring outputs are neighbours for every tap. A plane's rows are one
 * longer than the output's; the sums between rows are computed and not stored. */
#define TS_THUMB1_SPLIT_SUMS(height, width) (((height) * ((width) + 1) + 3) / 5 * 5)
#define TS_THUMB1_SPLIT_SCRATCH_WORDS(height, width)                                                                   \
    (2 * (2 * (height) + 1) * ((width) + 1) + 5 + TS_THUMB1_SPLIT_SUMS(height, width))

/* One channel without its padding, which is there already. */
TS_THUMB1_INLINE void ts_thumb1_widen_split(const ts_thumb1_depthwise_conv_2d_params *p, const int8_t *input,
                                            int32_t *planes)
{
    const int32_t row = p->shape.output_width + 1;
    const int32_t odd_rows = (p->shape.output_height + 1) * row;
    const int32_t odd_columns = (2 * p->shape.output_height + 1) * row;
    const int32_t most_rows = 2 * p->shape.output_height + 1 - p->shape.pad_top;
    const int32_t most_columns = 2 * p->shape.output_width + 1 - p->shape.pad_left;
    const int32_t height = p->shape.input_height < most_rows ? p->shape.input_height : most_rows;
    const int32_t width = p->shape.input_width < most_columns ? p->shape.input_width : most_columns;
    for (int32_t y = 0; y < height; ++y) {
        const int32_t at = y + p->shape.pad_top;
        int32_t *even = planes + (at & 1) * odd_rows + at / 2 * row;
        int32_t *odd = even + odd_columns;
        int32_t *here = p->shape.pad_left & 1 ? odd + p->shape.pad_left / 2 : even + p->shape.pad_left / 2;
        int32_t *next = p->shape.pad_left & 1 ? even + p->shape.pad_left / 2 + 1 : odd + p->shape.pad_left / 2;
        const int8_t *from = input + y * p->shape.input_width * p->shape.channels;
        int32_t left = width;
        for (; left > 1; left -= 2) {
            *here++ = *from;
            from += p->shape.channels;
            *next++ = *from;
            from += p->shape.channels;
        }
        if (left > 0) {
            *here = *from;
        }
    }
}

/* `planes` is scratch of TS_THUMB1_SPLIT_SCRATCH_WORDS. */
TS_THUMB1_KERNEL void ts_thumb1_depthwise_conv_2d_split_s8(const ts_thumb1_depthwise_conv_2d_params *p,
                                                           const int8_t *input, int8_t *output, int32_t *planes)
{
    const ts_thumb1_channel *channel = (const ts_thumb1_channel *)(const void *)p->requant;
    const int8_t *weights = p->weights;
    const int32_t row = p->shape.output_width + 1;
    const int32_t odd_rows = (p->shape.output_height + 1) * row;
    const int32_t odd_columns = (2 * p->shape.output_height + 1) * row;
    const int32_t words = 2 * odd_columns + 5;
    const int32_t groups = TS_THUMB1_SPLIT_SUMS(p->shape.output_height, p->shape.output_width) / 5;
    const ts_thumb1_row5_args args = {{planes, planes + odd_rows, planes + row}, 4 * odd_columns - 24};
    const ts_thumb1_store_args runs = {4 * p->shape.output_width,
                                       p->shape.channels,
                                       p->shape.output_height,
                                       4 * row,
                                       p->shape.output_width * p->shape.channels,
                                       0};
    for (int32_t i = 0; i < words; ++i) {
        planes[i] = p->shape.input_zero_point;
    }
    for (int32_t left = p->shape.channels; left > 0; --left) {
        ts_thumb1_widen_split(p, input++, planes);
        ts_thumb1_row5_split(&args, weights, groups, planes + words);
        ts_thumb1_store_runs(planes + words, channel++, output++, &runs, p->activation);
        weights += 9;
    }
}

#define TS_THUMB1_DEPTHWISE(suffix, stride)                                                                            \
    TS_THUMB1_KERNEL void ts_thumb1_depthwise_conv_2d_##suffix(const ts_thumb1_depthwise_conv_2d_params *p,            \
                                                               const int8_t *input, int8_t *output, int32_t *scratch)  \
    {                                                                                                                  \
        const ts_thumb1_channel *channel = (const ts_thumb1_channel *)(const void *)p->requant;                        \
        for (int32_t c = 0; c < p->shape.channels; ++c) {                                                              \
            ts_thumb1_depthwise_channel(p, input + c, output + c, scratch, p->weights + 9 * c, channel + c, stride);   \
        }                                                                                                              \
    }

TS_THUMB1_DEPTHWISE(s1_s8, 1)
TS_THUMB1_DEPTHWISE(s2_s8, 2)

#endif
