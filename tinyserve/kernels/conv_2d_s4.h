/* SPDX-License-Identifier: Apache-2.0 */
/* CONV_2D and FULLY_CONNECTED of int8 activations and weights of four bits, equal to TFLM's
 * reference_integer_ops::ConvPerChannel and FullyConnected of the same values. See by_dots/conv_2d_s4.h. */
#ifndef TS_CONV_2D_S4_H
#define TS_CONV_2D_S4_H

#include "by_dots/conv_2d_s4.h"
#include "common/four_rows.h"

static inline void ts_dots_s8(const int8_t *rows, const int8_t *vector, int32_t *sums, int32_t count, int32_t depth)
{
    for (int32_t row = 0; row < count; row += TS_ROWS, rows += TS_ROWS * depth) {
        const int32_t most = ts_min(TS_ROWS, count - row);
        int32_t four[TS_ROWS] = {0, 0, 0, 0};
        ts_add_four_rows_s8(four, rows, ts_four_rows(most, depth), vector, 0, depth);
        for (int32_t i = 0; i < most; i++) {
            sums[row + i] = four[i];
        }
    }
}

TS_CONV_2D_S4_BY_DOTS(ts_conv_2d_s4, ts_dots_s8)

#endif
