/* SPDX-License-Identifier: Apache-2.0 */
/* The last step of sums over 16-bit activations and 8-bit weights. */
#ifndef TS_COMMON_SUM_S16_H
#define TS_COMMON_SUM_S16_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "fixed_point.h"

/* sum + bias[index], scaled. With an int64_t bias or none (NULL) TFLM keeps 64 bits and rounds once; with an int32_t
 * bias (`narrow`) it keeps 32 bits, which wrap, and rounds twice. */
static inline int32_t ts_scaled_sum_s16(int64_t sum, const void *bias, bool narrow, int32_t index, int32_t multiplier,
                                        int32_t shift)
{
    if (narrow) {
        return ts_requantize(ts_wrap_add((int32_t)sum, ((const int32_t *)bias)[index]), multiplier, shift);
    }
    if (bias != NULL) {
        sum = ts_wrap_add_s64(sum, ((const int64_t *)bias)[index]);
    }
    return ts_requantize_s64(sum, multiplier, shift);
}

#endif
