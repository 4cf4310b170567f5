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
    if (source == 0) {
        for (; count > 0; --count, to += TS_THUMB1_PIXELS) {
            *to = 0;
        }
        return;
    }
    for (; count >= 4; count -= 4, to += 4 * TS_THUMB1_PIXELS, source += 4) {
        to[0] = source[0];
        to[TS_THUMB1_PIXELS] = source[1];
        to[2 * TS_THUMB1_PIXELS] = source[2];
        to[3 * TS_THUMB1_PIXELS] = source[3];
    }
    for (; count > 0; --count, to += TS_THUMB1_PIXELS) {
        *to = *source++;
    }
}

/* What undoes the 128 in each weight. */
TS_THUMB1_KERNEL void ts_thumb1_start_s16(const int32_t *patch, int32_t steps, int32_t *start)
{
    uint32_t sum0 = 0, sum1 = 0, sum2 = 0, sum3 = 0, sum4 = 0;
    const int32_t *const end = patch + 4 * steps * TS_THUMB1_PIXELS;
    for (; patch != end; patch += TS_THUMB1_PIXELS) {
        sum0 += (uint32_t)patch[0];
        sum1 += (uint32_t)patch[1];
        sum2 += (uint32_t)patch[2];
        sum3 += (uint32_t)patch[3];
        sum4 += (uint32_t)patch[4];
    }
    start[0] = (int32_t)(0u - 128u * sum0);
    start[1] = (int32_t)(0u - 128u * sum1);
    start[2] = (int32_t)(0u - 128u * sum2);
    start[3] = (int32_t)(0u - 128u * sum3);
    start[4] = (int32_t)(0u - 128u * sum4);
}

#define TS_THUMB1_DOTS_S16(weights, patch, steps, start, sums)                                                         \
    ts_thumb1_dots5(patch, (const uint8_t *)(weights), 4 * (uint32_t)(steps), start, sums, 2, 0)

/* Bytes of a patch: four taps a step, each a word. */
#define TS_THUMB1_CONV_2D_S16_SCRATCH_BYTES(steps) (4 * 4 * TS_THUMB1_PIXELS * (steps))

TS_CONV_2D_S16_PATCHES(ts_thumb1_conv_2d_s16, TS_THUMB1_PIXELS, int32_t, ts_thumb1_put_s16, ts_thumb1_start_s16,
                       TS_THUMB1_DOTS_S16, TS_THUMB1_KERNEL)

#endif
