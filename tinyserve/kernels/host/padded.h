/* SPDX-License-Identifier: Apache-2.0 */
/* An image as the host kernels read it: int8 + 128 as bytes, with its padding around it, so that windows need no
 * borders. */
#ifndef TS_HOST_PADDED_H
#define TS_HOST_PADDED_H

#include <stdint.h>

/* `zero` is the input's zero point + 128. Bytes beyond the image may be read TS_HOST_SLACK far. */
#define TS_HOST_SLACK 16

/* Bytes of scratch for values of a type and what is read beyond them. */
#define TS_HOST_SCRATCH_BYTES(values, T) (((values) + TS_HOST_SLACK) * (int32_t)sizeof(T))

typedef struct {
    int32_t height, width, channels;
    int32_t pad_top, pad_left, padded_height, padded_width;
    int32_t zero;
} ts_host_image;

static inline uint8_t *ts_host_fill(uint8_t *to, int32_t bytes, int32_t value)
{
    for (int32_t i = 0; i < bytes; i++) {
        to[i] = (uint8_t)value;
    }
    return to + bytes;
}

static inline void ts_host_shift(uint8_t *restrict to, const int8_t *restrict from, int32_t bytes)
{
    for (int32_t i = 0; i < bytes; i++) {
        to[i] = (uint8_t)((uint8_t)from[i] ^ 128u);
    }
}

/* [height][width][channels] to [padded_height][padded_width][channels]; padded is as large as the image or larger. */
static inline void ts_host_pad(const ts_host_image *image, const int8_t *input, uint8_t *padded)
{
    const int32_t row = image->width * image->channels, padded_row = image->padded_width * image->channels;
    const int32_t left = image->pad_left * image->channels;
    padded = ts_host_fill(padded, image->pad_top * padded_row, image->zero);
    if (padded_row == row) {
        ts_host_shift(padded, input, image->height * row);
        padded += image->height * row;
    } else {
        for (int32_t y = 0; y < image->height; y++, input += row) {
            padded = ts_host_fill(padded, left, image->zero);
            ts_host_shift(padded, input, row);
            padded = ts_host_fill(padded + row, padded_row - row - left, image->zero);
        }
    }
    ts_host_fill(padded, (image->padded_height - image->height - image->pad_top) * padded_row, image->zero);
}

#endif
