/* SPDX-License-Identifier: Apache-2.0 */
/* FULLY_CONNECTED: dot products of four rows at a time, for Armv6-M. */
#ifndef TS_THUMB1_FULLY_CONNECTED_DOTS_H
#define TS_THUMB1_FULLY_CONNECTED_DOTS_H

#include "../by_dots/fully_connected.h"
#include "dots.h"

TS_FULLY_CONNECTED_BY_DOTS(thumb1, s8, int8_t, ts_thumb1_dots_s8)
TS_FULLY_CONNECTED_BY_DOTS(thumb1, s16, int16_t, ts_thumb1_dots_s16)

#endif
