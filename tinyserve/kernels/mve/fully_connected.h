/* SPDX-License-Identifier: Apache-2.0 */
/* FULLY_CONNECTED, int8, for Helium: one row of inputs times four channels at a time.
 *
 * Input [batches, depth], output [batches, channels]. Equals ts_fully_connected_s8 (and so TFLM's
 * reference_integer_ops::FullyConnected) byte for byte, for right shifts only. Each row is read whole before the
 * last of its outputs is written.
 */
#ifndef TS_KERNELS_MVE_FULLY_CONNECTED_H
#define TS_KERNELS_MVE_FULLY_CONNECTED_H

#include "matmul.h"

typedef struct {
    const int8_t *weights; /* for every four channels 16 bytes of each in turn, rows padded with zeros to 16 */
    const int32_t *requant;
    int32_t batches, depth, channels;
    ts_mve_output output;
} ts_mve_fully_connected_params;

/* One row; `input` may be read up to a multiple of 16. */
TS_MVE_INLINE void ts_mve_fully_connected_row(const ts_mve_fully_connected_params *p, const int8_t *input,
                                              int8_t *output, const int32_t exact_ties)
{
    const ts_mve_output out = p->output;
    const int8_t *weights = p->weights;
    const int32_t *requant = p->requant;
    for (int32_t channel = 0; channel < p->channels; channel += 4) {
        const int8_t *x = input;
        int32_t a0 = 0, a1 = 0, a2 = 0, a3 = 0;
        for (int32_t left = p->depth; left > 0; left -= 16) {
            const int8x16_t values = vldrbq_s8(x);
            a0 = vmladavaq_s8(a0, values, vldrbq_s8(weights));
            a1 = vmladavaq_s8(a1, values, vldrbq_s8(weights + 16));
            a2 = vmladavaq_s8(a2, values, vldrbq_s8(weights + 32));
            a3 = vmladavaq_s8(a3, values, vldrbq_s8(weights + 48));
            x += 16;
            weights += 64;
        }
        const int32x4_t sums = {a0, a1, a2, a3};
        ts_mve_store4(vaddq_s32(sums, vldrwq_s32(requant)), vldrwq_s32(requant + 4), vldrwq_s32(requant + 8), out,
                      exact_ties, vctp32q((uint32_t)(p->channels - channel)), output + channel);
        requant += TS_MVE_REQUANT4;
    }
}

/* Bytes of scratch. */
#define TS_MVE_FULLY_CONNECTED_SCRATCH_BYTES(depth) (((depth) + 15) / 16 * 16)

/* `row` is scratch for one row, used where the depth is no multiple of 16. */
TS_MVE_INLINE void ts_mve_fully_connected(const ts_mve_fully_connected_params *p, const int8_t *input, int8_t *output,
                                          int8_t *row, const int32_t exact_ties)
{
    for (int32_t batch = 0; batch < p->batches; ++batch) {
        const int8_t *from = input;
        if (p->depth % 16 != 0) {
            ts_mve_copy(row, input, p->depth);
            from = row;
        }
        ts_mve_fully_connected_row(p, from, output, exact_ties);
        input += p->depth;
        output += p->channels;
    }
}

TS_MVE_KERNEL void ts_mve_fully_connected_s8(const ts_mve_fully_connected_params *p, const int8_t *input,
                                             int8_t *output, int8_t *row)
{
    ts_mve_fully_connected(p, input, output, row, 0);
}

TS_MVE_KERNEL void ts_mve_fully_connected_s8_ties(const ts_mve_fully_connected_params *p, const int8_t *input,
                                                  int8_t *output, int8_t *row)
{
    ts_mve_fully_connected(p, input, output, row, 1);
}

#endif
