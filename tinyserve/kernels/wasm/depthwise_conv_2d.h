/* SPDX-License-Identifier: Apache-2.0 */
/* DEPTHWISE_CONV_2D of depth multiplier 1 in WebAssembly: two pixels by eight channels of int8, two taps per dot
 * product; four by four of float32. Taps are at `offsets` from a window's first value in the padded image, whose
 * channels are padded to the block. A group of pixels that the row has no more reads its last pixel again. */
#ifndef TS_WASM_DEPTHWISE_CONV_2D_H
#define TS_WASM_DEPTHWISE_CONV_2D_H

#include <stdint.h>

#include "wasm/padded.h"
#include "wasm/simd.h"

#define TS_WASM_DEPTHWISE_PIXELS 2
#define TS_WASM_DEPTHWISE_PIXELS_F32 4

/* row_step and pixel_step: values of the padded image from one output row (pixel) to the next. Weights per block of
 * eight channels: [tap pairs][8][2]; an odd tap is paired with a weight of zero. */
typedef struct {
    int32_t batches;
    ts_wasm_image image;
    int32_t output_height, output_width, row_step, pixel_step;
    int32_t pairs;
    const int32_t *offsets;
    const int8_t *weights;
    ts_wasm_requant requant;
} ts_wasm_depthwise_conv_2d_params;

/* Eight channels from `channel` on of the pixels at x; `count` of them are the layer's. */
TS_WASM_INLINE void ts_wasm_depthwise_tile(const ts_wasm_depthwise_conv_2d_params *p, const int16_t *const *x,
                                           int32_t channel, const ts_wasm_factors *factors, int8_t *const *output,
                                           int32_t count)
{
    const int8_t *w = p->weights + channel * 2 * p->pairs;
    v128_t sums[TS_WASM_DEPTHWISE_PIXELS][2];
    TS_WASM_UNROLL
    for (int32_t i = 0; i < TS_WASM_DEPTHWISE_PIXELS; i++) {
        sums[i][0] = wasm_v128_load(p->requant.bias + channel);
        sums[i][1] = wasm_v128_load(p->requant.bias + channel + TS_WASM_LANES);
    }
    for (int32_t pair = 0; pair < p->pairs; pair++, w += 16) {
        const int32_t first = p->offsets[2 * pair], second = p->offsets[2 * pair + 1];
        const v128_t low = wasm_i16x8_load8x8(w), high = wasm_i16x8_load8x8(w + 8);
        TS_WASM_UNROLL
        for (int32_t i = 0; i < TS_WASM_DEPTHWISE_PIXELS; i++) {
            const v128_t one = wasm_v128_load(x[i] + first), other = wasm_v128_load(x[i] + second);
            const v128_t lows = wasm_i16x8_shuffle(one, other, 0, 8, 1, 9, 2, 10, 3, 11);
            const v128_t highs = wasm_i16x8_shuffle(one, other, 4, 12, 5, 13, 6, 14, 7, 15);
            sums[i][0] = wasm_i32x4_add(sums[i][0], wasm_i32x4_dot_i16x8(lows, low));
            sums[i][1] = wasm_i32x4_add(sums[i][1], wasm_i32x4_dot_i16x8(highs, high));
        }
    }
    TS_WASM_UNROLL
    for (int32_t i = 0; i < TS_WASM_DEPTHWISE_PIXELS; i++) {
        const v128_t first = ts_wasm_requantize(sums[i][0], &factors[0]);
        const v128_t second = ts_wasm_requantize(sums[i][1], &factors[1]);
        ts_wasm_store_bytes(ts_wasm_bytes(first, second, &p->requant), output[i], count);
    }
}

/* Input [batches][height][width][channels], padded: TS_WASM_SLACK values more than one padded image. */
TS_WASM_KERNEL void ts_wasm_depthwise_conv_2d_s8(const ts_wasm_depthwise_conv_2d_params *p, const int8_t *input,
                                                 int8_t *output, int16_t *padded)
{
    const int32_t channels = p->image.channels, last = p->output_width - 1;
    for (int32_t batch = 0; batch < p->batches; batch++) {
        ts_wasm_pad_s8(&p->image, input, padded);
        for (int32_t channel = 0; channel < channels; channel += 8) {
            const ts_wasm_factors factors[2] = {ts_wasm_factors_at(&p->requant, channel),
                                                ts_wasm_factors_at(&p->requant, channel + TS_WASM_LANES)};
            for (int32_t row = 0; row < p->output_height; row++) {
                const int16_t *from = padded + row * p->row_step + channel;
                int8_t *to = output + row * p->output_width * channels + channel;
                for (int32_t column = 0; column <= last; column += TS_WASM_DEPTHWISE_PIXELS) {
                    const int32_t second = column < last ? column + 1 : last;
                    const int16_t *const x[] = {from + column * p->pixel_step, from + second * p->pixel_step};
                    int8_t *const results[] = {to + column * channels, to + second * channels};
                    ts_wasm_depthwise_tile(p, x, channel, factors, results, channels - channel);
                }
            }
        }
        output += p->output_height * p->output_width * channels;
        input += p->image.height * p->image.width * channels;
    }
}

/* Weights per block of four channels: [taps][4]. */
typedef struct {
    int32_t batches;
    ts_wasm_image image;
    int32_t output_height, output_width, row_step, pixel_step;
    int32_t taps;
    const int32_t *offsets;
    const float *weights;
    const float *bias;
    ts_activation_f32 activation;
} ts_wasm_depthwise_conv_2d_f32_params;

/* Four channels of four pixels from `column` on. */
TS_WASM_INLINE void ts_wasm_depthwise_tile_f32(const ts_wasm_depthwise_conv_2d_f32_params *p, const float *from,
                                               int32_t column, int32_t channel, float *to)
{
    const int32_t last = p->output_width - 1;
    const float *w = p->weights + channel * p->taps;
    const float *x[TS_WASM_DEPTHWISE_PIXELS_F32];
    v128_t sums[TS_WASM_DEPTHWISE_PIXELS_F32];
    TS_WASM_UNROLL
    for (int32_t i = 0; i < TS_WASM_DEPTHWISE_PIXELS_F32; i++) {
        x[i] = from + (column + i < last ? column + i : last) * p->pixel_step;
        sums[i] = wasm_f32x4_splat(0.0f);
    }
    for (int32_t tap = 0; tap < p->taps; tap++, w += TS_WASM_LANES) {
        const v128_t weights = wasm_v128_load(w);
        const int32_t offset = p->offsets[tap];
        TS_WASM_UNROLL
        for (int32_t i = 0; i < TS_WASM_DEPTHWISE_PIXELS_F32; i++) {
            sums[i] = wasm_f32x4_add(sums[i], wasm_f32x4_mul(wasm_v128_load(x[i] + offset), weights));
        }
    }
    TS_WASM_UNROLL
    for (int32_t i = 0; i < TS_WASM_DEPTHWISE_PIXELS_F32; i++) {
        float *result = to + (column + i < last ? column + i : last) * p->image.channels;
        ts_wasm_store_floats(sums[i], wasm_v128_load(p->bias + channel), p->activation.min, p->activation.max, result,
                             p->image.channels - channel);
    }
}

/* As above, of float32; padded is NULL where the image needs no padding. */
TS_WASM_KERNEL void ts_wasm_depthwise_conv_2d_f32(const ts_wasm_depthwise_conv_2d_f32_params *p, const float *input,
                                                  float *output, float *padded)
{
    const int32_t channels = p->image.channels;
    for (int32_t batch = 0; batch < p->batches; batch++) {
        if (padded != 0) {
            ts_wasm_pad_f32(&p->image, input, padded);
        }
        const float *image = padded != 0 ? padded : input;
        for (int32_t row = 0; row < p->output_height; row++, image += p->row_step) {
            for (int32_t channel = 0; channel < channels; channel += TS_WASM_LANES) {
                for (int32_t column = 0; column < p->output_width; column += TS_WASM_DEPTHWISE_PIXELS_F32) {
                    ts_wasm_depthwise_tile_f32(p, image + channel, column, channel, output + channel);
                }
            }
            output += p->output_width * channels;
        }
        input += p->image.height * p->image.width * channels;
    }
}

#endif
