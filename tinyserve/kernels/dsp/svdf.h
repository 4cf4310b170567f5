/* SPDX-License-Identifier: Apache-2.0 */
/* SVDF: dot products of four rows at a time with SMLAD, for Armv7E-M with DSP and later. */
#ifndef TS_DSP_SVDF_H
#define TS_DSP_SVDF_H

#include "../by_dots/svdf.h"
#include "dots.h"

static inline int32_t ts_svdf_times_dsp_s8(const ts_svdf_s8_params *p, const int8_t *times, const int8_t *state)
{
    if (p->state_zero_point != 0) {
        int32_t sum = 0;
        for (int32_t i = 0; i < p->memory; i++) {
            sum = ts_wrap_add(sum, times[i] * (state[i] - p->state_zero_point));
        }
        return sum;
    }
    int32_t sum;
    ts_dsp_dots_s8(times, state, &sum, 1, p->memory);
    return sum;
}

TS_SVDF_BY_DOTS(dsp_s8, s8, int8_t, ts_dsp_dots_s8, ts_svdf_times_dsp_s8, INT8_MIN, INT8_MAX)
TS_SVDF_BY_DOTS(dsp_s16, s16, int16_t, ts_dsp_dots_s8, ts_svdf_times_s16, INT16_MIN, INT16_MAX)

#endif
