/* SPDX-License-Identifier: Apache-2.0 */
/* CONV_2D and FULLY_CONNECTED with weights of four bits: dot products of four rows at a time with SMLAD, for Armv7E-M
 * with DSP and later. */
#ifndef TS_DSP_CONV_2D_S4_H
#define TS_DSP_CONV_2D_S4_H

#include "../by_dots/conv_2d_s4.h"
#include "dots.h"

TS_CONV_2D_S4_BY_DOTS(ts_dsp_conv_2d_dots_s4, ts_dsp_dots_s8)

#endif
