/* SPDX-License-Identifier: Apache-2.0 */
/* Sums of products for a block of outputs, as many as 31 registers hold. */
#ifndef TS_KERNELS_RV32M_DOTS_H
#define TS_KERNELS_RV32M_DOTS_H

#include "../common/params.h"
#include "requantize.h"

#define TS_RV32M_PIXELS 4
#define TS_RV32M_CHANNELS 4

/* patch: [taps][4 pixels], taps even and not 0, up to patch_end. Outputs of neighbouring pixels lie pixel_step bytes
 * apart. */
typedef struct {
    const int8_t *patch, *patch_end;
    int32_t pixel_step;
    ts_activation activation;
} ts_rv32m_block;

/* dots.S: 4 pixels x 4 channels, requantized. weights [taps][4 channels]. */
void ts_rv32m_dots_4x4(const ts_rv32m_block *block, const int8_t *weights, const ts_rv32m_channel channels[4],
                       int8_t *output);

/* 1 row x 4 channels: 5 loads for 4 products. weights [taps][4 channels]. */
TS_RV32M_INLINE void ts_rv32m_dots_1x4(const int8_t *row, const int8_t *weights, int32_t taps, const int32_t bias[4],
                                       int32_t sums[4])
{
    int32_t a = bias[0], b = bias[1], c = bias[2], d = bias[3];
    const int8_t *const end = row + taps;
#pragma GCC unroll 4
    for (; row != end; row++, weights += TS_RV32M_CHANNELS) {
        const int32_t x = row[0];
        a += weights[0] * x;
        b += weights[1] * x;
        c += weights[2] * x;
        d += weights[3] * x;
    }
    sums[0] = a;
    sums[1] = b;
    sums[2] = c;
    sums[3] = d;
}

#endif
