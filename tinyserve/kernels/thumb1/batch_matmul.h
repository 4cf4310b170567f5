/* SPDX-License-Identifier: Apache-2.0 */
/* BATCH_MATMUL: dot products of four rows at a time, for Armv6-M. */
#ifndef TS_THUMB1_BATCH_MATMUL_H
#define TS_THUMB1_BATCH_MATMUL_H

#include "../by_dots/batch_matmul.h"
#include "dots.h"

TS_MATMUL_RESULTS(ts_thumb1_matmul_results, ts_requantize_by)
TS_BATCH_MATMUL_BY_DOTS(thumb1, ts_thumb1_dots_s8, ts_thumb1_matmul_results)

#endif
