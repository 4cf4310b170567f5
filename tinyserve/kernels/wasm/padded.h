/* SPDX-License-Identifier: Apache-2.0 */
/* An image as the kernels for WebAssembly read it, with its padding around it: int8 as int16 without the zero point,
 * so that padding is zeros and a dot product takes two values; float32 as it is. */
#ifndef TS_WASM_PADDED_H
#define TS_WASM_PADDED_H

#include <stdint.h>

#include "wasm/simd.h"

/* Values beyond the image that may be read; their weights are zero. */
#define TS_WASM_SLACK 8

/* Bytes of scratch for values of a type and what is read beyond them. */
#define TS_WASM_SCRATCH_BYTES(values, T) (((values) + TS_WASM_SLACK) * (int32_t)sizeof(T))

/* padded_channels: channels, or more where kernels take them by fours or eights. */
typedef struct {
    int32_t height, width, channels;
    int32_t pad_top, pad_left, padded_height, padded_width, padded_channels;
    int32_t zero_point;
} ts_wasm_image;

/* Rounded up to whole vectors, which the slack holds. Vectors by hand: as bytes it would become a call. */
static inline void ts_wasm_zero(void *to, int32_t bytes)
{
    uint8_t *at = to;
    for (int32_t i = 0; i < bytes; i += 16) {
        wasm_v128_store(at + i, wasm_i32x4_splat(0));
    }
}

/* The last vector overlaps the one before it where the count is no multiple: values that follow are not touched. */
static inline void ts_wasm_widen(const int8_t *from, int32_t count, int32_t zero_point, int16_t *to)
{
    const v128_t zero = wasm_i16x8_splat((int16_t)zero_point);
    if (count < 8) {
        for (int32_t i = 0; i < count; i++) {
            to[i] = (int16_t)(from[i] - zero_point);
        }
        return;
    }
    for (int32_t i = 0; i < count; i += 8) {
        const int32_t at = i <= count - 8 ? i : count - 8;
        wasm_v128_store(to + at, wasm_i16x8_sub(wasm_i16x8_load8x8(from + at), zero));
    }
}

static inline void ts_wasm_copy(const float *from, int32_t count, float *to)
{
    if (count < TS_WASM_LANES) {
        for (int32_t i = 0; i < count; i++) {
            to[i] = from[i];
        }
        return;
    }
    for (int32_t i = 0; i < count; i += TS_WASM_LANES) {
        const int32_t at = i <= count - TS_WASM_LANES ? i : count - TS_WASM_LANES;
        wasm_v128_store(to + at, wasm_v128_load(from + at));
    }
}

/* [height][width][channels] into the middle of zeros: pieces of `piece` values that follow each other, a row of the
 * image or a pixel. TAKE(from, count, to) converts a piece. */
#define TS_WASM_PAD(image, input, type, padded, TAKE)                                                                  \
    const int32_t row = (image)->padded_width * (image)->padded_channels;                                              \
    const int32_t same = (image)->padded_channels == (image)->channels;                                                \
    const int32_t piece = same ? (image)->width * (image)->channels : (image)->channels;                               \
    const int32_t pieces = same ? 1 : (image)->width;                                                                  \
    const int32_t values = (image)->padded_height * row;                                                               \
    if (values != (image)->height * (image)->width * (image)->channels) {                                              \
        ts_wasm_zero((padded), values *(int32_t)sizeof(type));                                                         \
    }                                                                                                                  \
    type *to = (padded) + (image)->pad_top * row + (image)->pad_left * (image)->padded_channels;                       \
    for (int32_t y = 0; y < (image)->height; y++, to += row) {                                                         \
        for (int32_t i = 0; i < pieces; i++, (input) += piece) {                                                       \
            TAKE((input), piece, to + i * (image)->padded_channels);                                                   \
        }                                                                                                              \
    }

/* padded: TS_WASM_SLACK values more than one padded image. */
TS_WASM_KERNEL void ts_wasm_pad_s8(const ts_wasm_image *image, const int8_t *input, int16_t *padded){
#define TS_WASM_TAKE(from, count, to) ts_wasm_widen(from, count, image->zero_point, to)
    TS_WASM_PAD(image, input, int16_t, padded, TS_WASM_TAKE)
#undef TS_WASM_TAKE
}

TS_WASM_KERNEL void ts_wasm_pad_f32(const ts_wasm_image *image, const float *input, float *padded)
{
    TS_WASM_PAD(image, input, float, padded, ts_wasm_copy)
}

#endif
