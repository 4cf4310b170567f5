/* SPDX-License-Identifier: Apache-2.0 */
/* FeaturePixels: what cameras give, as RGB of 8 bits, and RGB as grey. Integers throughout. */
#ifndef TS_PIXELS_H
#define TS_PIXELS_H

#include <stdint.h>

#include "common/fixed_point.h"

/* count: pixels. first: of RGB565 the place of the byte with red, of YUV 4:2:2 that of the first pixel's luminance.
 * video: luminance from 16 to 235 and colours from 16 to 240, else all of them from 0 to 255. */
typedef struct {
    int32_t count, first, video;
} ts_pixels_params;

static inline uint8_t ts_pixel(int32_t value)
{
    return (uint8_t)ts_clamp(value, 0, 255);
}

/* input [count][2], output [count][3]: the upper bits are repeated below, so that white is white. */
static inline void ts_pixels_rgb565(const ts_pixels_params *p, const uint8_t *input, uint8_t *output)
{
    for (int32_t i = 0; i < p->count; i++, input += 2, output += 3) {
        const uint32_t both = (uint32_t)input[p->first] << 8 | (uint32_t)input[1 - p->first];
        const uint32_t red = both >> 11, green = both >> 5 & 63u, blue = both & 31u;
        output[0] = (uint8_t)(red << 3 | red >> 2);
        output[1] = (uint8_t)(green << 2 | green >> 4);
        output[2] = (uint8_t)(blue << 3 | blue >> 2);
    }
}

/* input [count][2] as luminance and the two colour differences in turn, output [count][3]: ITU-R BT.601 with factors of
 * 1 / 65536. */
static inline void ts_pixels_yuv422(const ts_pixels_params *p, const uint8_t *input, uint8_t *output)
{
    for (int32_t i = 0; i + 1 < p->count; i += 2, input += 4, output += 6) {
        const int32_t u = (int32_t)input[1 - p->first] - 128, v = (int32_t)input[3 - p->first] - 128;
        const int32_t red = p->video ? 104597 * v : 91881 * v;
        const int32_t green = p->video ? -25675 * u - 53279 * v : -22554 * u - 46802 * v;
        const int32_t blue = p->video ? 132201 * u : 116130 * u;
        for (int32_t k = 0; k < 2; k++) {
            const int32_t stored = input[p->first + 2 * k];
            const int32_t light = (p->video ? 76309 * (stored - 16) : 65536 * stored) + 32768;
            output[3 * k] = ts_pixel((light + red) >> 16);
            output[3 * k + 1] = ts_pixel((light + green) >> 16);
            output[3 * k + 2] = ts_pixel((light + blue) >> 16);
        }
    }
}

/* input [count][3], output [count]: ITU-R BT.601's luminance with factors of 1 / 256. */
static inline void ts_pixels_grey(const ts_pixels_params *p, const uint8_t *input, uint8_t *output)
{
    for (int32_t i = 0; i < p->count; i++, input += 3) {
        output[i] = (uint8_t)((77 * input[0] + 150 * input[1] + 29 * input[2] + 128) >> 8);
    }
}

#endif
