/* SPDX-License-Identifier: Apache-2.0 */
/* SVDF: dot products of four rows at a time with SMLAD, for Armv7E-M with DSP and later. */
#ifndef TS_DSP_SVDF_H
#define TS_DSP_SVDF_H

#include "../by_dots/svdf.h"
#include "dots.h"

TS_SVDF_TIMES_BY_DOTS(dsp, ts_dsp_dots_s8)
TS_SVDF_BY_DOTS(dsp, s8, int8_t, ts_dsp_dots_s8, ts_dsp_svdf_times_s8, INT8_MIN, INT8_MAX)
TS_SVDF_BY_DOTS(dsp, s16, int16_t, ts_dsp_dots_s8, ts_svdf_times_s16, INT16_MIN, INT16_MAX)

#endif
