/* SPDX-License-Identifier: Apache-2.0 */
/* CONV_2D int16 on Helium by patches: 3 pixels times pairs of channels, see dots_s16.S and common/conv_2d_s16.h. */
#ifndef TS_KERNELS_MVE_CONV_2D_S16_H
#define TS_KERNELS_MVE_CONV_2D_S16_H

#include "../common/conv_2d_s16.h"
#include "matmul.h"

#ifdef __cplusplus
extern "C" {
#endif

void ts_mve_conv_dots_s16(const int8_t *weights, const int16_t *patch, int32_t steps, int32_t *sums);

#ifdef __cplusplus
}
#endif

/* Taps to one pixel of the patch ([3][steps][8]); zeros where there is no source. What lies beyond a pixel's last tap
 * meets weights of 0. */
TS_MVE_INLINE void ts_mve_put_s16(int16_t *patch, int32_t steps, int32_t pixel, int32_t tap, const int16_t *source,
                                  int32_t count)
{
    int8_t *const to = (int8_t *)(patch + pixel * steps * 8 + tap);
    if (source != 0) {
        ts_mve_copy(to, (const int8_t *)source, 2 * count);
    } else {
        ts_mve_fill(to, 0, 2 * count);
    }
}

#define TS_MVE_DOTS_S16(weights, patch, steps, start, sums) ts_mve_conv_dots_s16(weights, patch, steps, sums)

/* Bytes of a patch: eight taps of three pixels a step. */
#define TS_MVE_CONV_2D_S16_SCRATCH_BYTES(steps) (2 * 8 * 3 * (steps))

TS_CONV_2D_S16_PATCHES(ts_mve_conv_2d_s16, 3, int16_t, ts_mve_put_s16, TS_NO_START_S16, TS_MVE_DOTS_S16, TS_MVE_KERNEL)

#endif
