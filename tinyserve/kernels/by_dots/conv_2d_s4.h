/* SPDX-License-Identifier: Apache-2.0 */
/* CONV_2D and FULLY_CONNECTED of int8 activations and weights of four bits, from dot products of several rows with one
 * vector: what an instruction set's header makes its kernel of.
 *
 * Input [batches][height][width][channels], output [batches][height][width][output channels]; batches of a fully
 * connected layer are pixels. Each tile of pixels is copied to scratch, by groups of input channels, unless its windows
 * are the pixels themselves. Then the weights of a block of channels are unpacked and multiplied with each pixel. So a
 * weight is unpacked once per tile. The output is written in ascending order of tiles. */
#ifndef TS_BY_DOTS_CONV_2D_S4_H
#define TS_BY_DOTS_CONV_2D_S4_H

#include <stdbool.h>
#include <stdint.h>

#include "../common/copy.h"
#include "../common/fixed_point.h"
#include "../common/nibbles.h"
#include "../common/params.h"
#include "../common/window.h"

#define TS_CONV_2D_S4_BLOCK 8 /* channels at a time */

typedef struct {
    ts_sliding_window window;
    int32_t filter_channels, filters_per_group, output_channels;
    int32_t input_zero_point, output_offset;
    ts_activation activation;
    int32_t depth;           /* taps of a channel, rounded up to words */
    int32_t pixels;          /* of a tile */
    bool gathers;            /* whether tiles are copied to scratch; else a pixel is a channel's taps */
    const uint32_t *weights; /* [output channels][depth / 8], see common/nibbles.h; missing taps are 0 */
    const int32_t *bias;     /* with the input's zero point folded in */
    ts_requantization requantization;
} ts_conv_2d_s4_params;

typedef struct {
    int32_t y, x;
} ts_conv_2d_s4_pixel;

/* Bytes of scratch: the block's weights, and the tile's inputs. */
#define TS_CONV_2D_S4_SCRATCH(DEPTH, PIXELS, GATHERS)                                                                  \
    (TS_CONV_2D_S4_BLOCK * (DEPTH) + ((GATHERS) ? (PIXELS) * (DEPTH) : 0))

/* The inputs of a pixel's window, padding included, from input channel `first` on. */
static inline void ts_conv_2d_s4_patch(const ts_conv_2d_s4_params *p, const int8_t *image, ts_conv_2d_s4_pixel at,
                                       int32_t first, int8_t *patch)
{
    const int32_t left = ts_window_left(&p->window, at.x), top = ts_window_top(&p->window, at.y);
    const bool whole = p->window.dilation_width == 1 && p->filter_channels == p->window.input_channels && left >= 0 &&
                       left + p->window.filter_width <= p->window.input_width;
    const int32_t taps = whole ? p->window.filter_width : 1, bytes = taps * p->filter_channels;
    for (int32_t fy = 0; fy < p->window.filter_height; fy++) {
        const int32_t y = top + fy * p->window.dilation_height;
        for (int32_t fx = 0; fx < p->window.filter_width; fx += taps, patch += bytes) {
            const int32_t x = left + fx * p->window.dilation_width;
            if (y < 0 || y >= p->window.input_height || x < 0 || x >= p->window.input_width) {
                ts_fill_bytes(patch, (int8_t)p->input_zero_point, bytes);
            } else {
                ts_copy_bytes(patch, image + (y * p->window.input_width + x) * p->window.input_channels + first, bytes);
            }
        }
    }
}

/* The pixel behind the `count` pixels from `at` on, whose windows are copied. */
static inline ts_conv_2d_s4_pixel ts_conv_2d_s4_tile(const ts_conv_2d_s4_params *p, const int8_t *image,
                                                     ts_conv_2d_s4_pixel at, int32_t count, int32_t first,
                                                     int8_t *patches)
{
    for (; count > 0; count--, patches += p->depth) {
        ts_conv_2d_s4_patch(p, image, at, first, patches);
        if (++at.x == p->window.output_width) {
            at.x = 0;
            at.y++;
        }
    }
    return at;
}

static inline int8_t ts_conv_2d_output_s4(const ts_conv_2d_s4_params *p, int32_t channel, int32_t sum)
{
    const ts_factor factor = ts_factor_of(p->requantization, channel);
    sum = ts_requantize(ts_wrap_add(sum, p->bias[channel]), factor.multiplier, factor.shift);
    return (int8_t)ts_activate(p->activation, ts_wrap_add(sum, p->output_offset));
}

/* scratch: TS_CONV_2D_S4_SCRATCH bytes, aligned to 4. */
#define TS_CONV_2D_S4_BY_DOTS(NAME, DOTS)                                                                              \
    static inline void NAME##_multiply(const ts_conv_2d_s4_params *p, const int8_t *vectors, int32_t count,            \
                                       int32_t first, int8_t *output, int8_t *rows)                                    \
    {                                                                                                                  \
        const int32_t words = p->depth / 8, end = first + p->filters_per_group;                                        \
        for (int32_t block = first; block < end; block += TS_CONV_2D_S4_BLOCK) {                                       \
            const int32_t channels = ts_min(TS_CONV_2D_S4_BLOCK, end - block);                                         \
            ts_unpack_nibbles(p->weights + block * words, channels * words, rows);                                     \
            for (int32_t i = 0; i < count; i++) {                                                                      \
                int32_t sums[TS_CONV_2D_S4_BLOCK];                                                                     \
                DOTS(rows, vectors + i * p->depth, sums, channels, p->depth);                                          \
                for (int32_t c = 0; c < channels; c++) {                                                               \
                    output[i * p->output_channels + block + c] = ts_conv_2d_output_s4(p, block + c, sums[c]);          \
                }                                                                                                      \
            }                                                                                                          \
        }                                                                                                              \
    }                                                                                                                  \
    static inline void NAME(const ts_conv_2d_s4_params *p, const int8_t *input, int8_t *output, void *scratch)         \
    {                                                                                                                  \
        int8_t *const rows = scratch, *const patches = rows + TS_CONV_2D_S4_BLOCK * p->depth;                          \
        const int32_t image_pixels = p->window.output_height * p->window.output_width;                                 \
        for (int32_t b = 0; b < p->window.batches;                                                                     \
             b++, input += p->window.input_height * p->window.input_width * p->window.input_channels) {                \
            ts_conv_2d_s4_pixel at = {0, 0};                                                                           \
            for (int32_t pixel = 0, count; pixel < image_pixels; pixel += count) {                                     \
                ts_conv_2d_s4_pixel next = at;                                                                         \
                count = ts_min(p->pixels, image_pixels - pixel);                                                       \
                for (int32_t oc = 0, ic = 0; oc < p->output_channels;                                                  \
                     oc += p->filters_per_group, ic += p->filter_channels) {                                           \
                    if (p->gathers) {                                                                                  \
                        next = ts_conv_2d_s4_tile(p, input, at, count, ic, patches);                                   \
                    }                                                                                                  \
                    NAME##_multiply(p, p->gathers ? patches : input + pixel * p->depth, count, oc, output, rows);      \
                }                                                                                                      \
                at = next;                                                                                             \
                output += count * p->output_channels;                                                                  \
            }                                                                                                          \
        }                                                                                                              \
    }

#endif
