/* SPDX-License-Identifier: Apache-2.0 */
/* CONV_2D int16 by patches: 4 pixels times pairs of channels, see dots_s16.S and common/conv_2d_s16.h. */
#ifndef TS_DSP_CONV_2D_S16_H
#define TS_DSP_CONV_2D_S16_H

#include "../common/conv_2d_s16.h"
#include "common.h"

#ifdef __cplusplus
extern "C" {
#endif

void ts_dsp_conv_dots_s16(const int8_t *weights, const int32_t *patch, int32_t steps, int32_t *sums);

#ifdef __cplusplus
}
#endif

typedef int16_t __attribute__((may_alias)) ts_dsp_tap;
typedef struct __attribute__((packed, may_alias)) {
    int32_t taps;
} ts_dsp_two_taps; /* anywhere */

/* Taps to one pixel of the patch ([steps][4] words of two taps); zeros where there is no source. */
static inline void ts_dsp_put_s16(int32_t *patch, int32_t steps, int32_t pixel, int32_t tap, const int16_t *source,
                                  int32_t count)
{
    (void)steps;
    int32_t *word = patch + tap / 2 * 4 + pixel;
    if (tap % 2 != 0) {
        ((ts_dsp_tap *)word)[1] = source != 0 ? *source++ : 0;
        word += 4;
        count--;
    }
    if (source == 0) {
        for (; count > 0; count -= 2, word += 4) {
            *word = 0;
        }
        return;
    }
    for (; count >= 2; count -= 2, word += 4, source += 2) {
        *word = ((const ts_dsp_two_taps *)source)->taps;
    }
    if (count > 0) {
        *word = (uint16_t)*source;
    }
}

#define TS_DSP_DOTS_S16(weights, patch, steps, start, sums) ts_dsp_conv_dots_s16(weights, patch, steps, sums)

/* Bytes of a patch: two taps of four pixels a step. */
#define TS_DSP_CONV_2D_S16_SCRATCH_BYTES(steps) (4 * 4 * (steps))

TS_CONV_2D_S16_PATCHES(ts_dsp_conv_2d_s16, 4, int32_t, ts_dsp_put_s16, TS_NO_START_S16, TS_DSP_DOTS_S16, TS_DSP_SHARED)

#endif
