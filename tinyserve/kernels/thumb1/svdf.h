/* SPDX-License-Identifier: Apache-2.0 */
/* SVDF: dot products of four rows at a time, for Armv6-M. */
#ifndef TS_THUMB1_SVDF_H
#define TS_THUMB1_SVDF_H

#include "../by_dots/svdf.h"
#include "dots.h"

TS_SVDF_TIMES_BY_DOTS(thumb1, ts_thumb1_dots_s8)
TS_SVDF_BY_DOTS(thumb1, s8, int8_t, ts_thumb1_dots_s8, ts_thumb1_svdf_times_s8, INT8_MIN, INT8_MAX)
TS_SVDF_BY_DOTS(thumb1, s16, int16_t, ts_thumb1_dots_s8, ts_svdf_times_s16, INT16_MIN, INT16_MAX)

#endif
