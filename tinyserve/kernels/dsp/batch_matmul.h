/* SPDX-License-Identifier: Apache-2.0 */
/* BATCH_MATMUL: dot products of four rows at a time with SMLAD, for Armv7E-M with DSP and later. */
#ifndef TS_DSP_BATCH_MATMUL_H
#define TS_DSP_BATCH_MATMUL_H

#include "../by_dots/batch_matmul.h"
#include "dots.h"
#include "scaled.h"

TS_MATMUL_RESULTS(ts_dsp_matmul_results, ts_dsp_scaled)
TS_BATCH_MATMUL_BY_DOTS(dsp, ts_dsp_dots_s8, ts_dsp_matmul_results)

#endif
