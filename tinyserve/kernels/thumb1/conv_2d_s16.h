/* SPDX-License-Identifier: Apache-2.0 */
/* CONV_2D int16 by patches for Armv6-M: 5 pixels times a channel, see dots5.S and common/conv_2d_s16.h. */
#ifndef TS_KERNELS_THUMB1_CONV_2D_S16_H
#define TS_KERNELS_THUMB1_CONV_2D_S16_H

#include "../common/conv_2d_s16.h"
#include "conv_2d.h"

/* Taps to one pixel of the patch ([steps x 4][5] words); zeros where there is no source. */
TS_THUMB1_INLINE void ts_thumb1_put_s16(int32_t *patch, int32_t steps, int32_t pixel, int32_t tap,
                                        const int16_t *source, int32_t count)
{
    int32_t *to = patch + tap * TS_THUMB1_PIXELS + pixel;
    (void)steps;
    for (; count > 0; --count) {
        *to = source != 0 ? *source++ : 0;
        to += TS_THUMB1_PIXELS;
    }
}

/* What undoes the 128 in each weight. */
TS_THUMB1_KERNEL void ts_thumb1_start_s16(const int32_t *patch, int32_t steps, int32_t *start)
{
    for (int32_t pixel = 0; pixel < TS_THUMB1_PIXELS; ++pixel) {
        const int32_t *from = patch + pixel;
        uint32_t sum = 0;
        for (int32_t left = 4 * steps; left > 0; --left) {
            sum += (uint32_t)*from;
            from += TS_THUMB1_PIXELS;
        }
        start[pixel] = (int32_t)(0u - 128u * sum);
    }
}

#define TS_THUMB1_DOTS_S16(weights, patch, steps, start, sums)                                                         \
    ts_thumb1_dots5(patch, (const uint8_t *)(weights), 4 * (uint32_t)(steps), start, sums, 2, 0)

TS_CONV_2D_S16_PATCHES(ts_thumb1_conv_2d_s16, TS_THUMB1_PIXELS, int32_t, ts_thumb1_put_s16, ts_thumb1_start_s16,
                       TS_THUMB1_DOTS_S16, TS_THUMB1_KERNEL)

#endif
