/* SPDX-License-Identifier: Apache-2.0 */
/* CONV_2D and FULLY_CONNECTED with weights of four bits: dot products of four rows at a time, for Armv6-M and later. */
#ifndef TS_THUMB1_CONV_2D_S4_H
#define TS_THUMB1_CONV_2D_S4_H

#include "../by_dots/conv_2d_s4.h"
#include "dots.h"

TS_CONV_2D_S4_BY_DOTS(ts_thumb1_conv_2d_dots_s4, ts_thumb1_dots_s8)

#endif
