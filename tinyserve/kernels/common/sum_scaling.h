/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TS_COMMON_SUM_SCALING_H
#define TS_COMMON_SUM_SCALING_H

#include <stdint.h>

#include "fixed_point.h"

/* What brings two inputs to a common fixed-point scale, and their sum or difference back. Offsets of inputs are negated
 * zero points. */
typedef struct {
    int32_t offset1, offset2, output_offset, left_shift;
    ts_factor factor1, factor2, output_factor;
} ts_sum_scaling;

#endif
