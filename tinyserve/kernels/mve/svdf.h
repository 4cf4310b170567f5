/* SPDX-License-Identifier: Apache-2.0 */
/* SVDF: dot products of four rows at a time with VMLADAV, for Helium. */
#ifndef TS_MVE_SVDF_H
#define TS_MVE_SVDF_H

#include "../by_dots/svdf.h"
#include "dots.h"

TS_SVDF_TIMES_BY_DOTS(mve_s8, ts_mve_dots_s8)
TS_SVDF_BY_DOTS(mve_s8, s8, int8_t, ts_mve_dots_s8, ts_svdf_times_mve_s8, INT8_MIN, INT8_MAX)
TS_SVDF_BY_DOTS(mve_s16, s16, int16_t, ts_mve_dots_s8, ts_svdf_times_s16, INT16_MIN, INT16_MAX)

#endif
