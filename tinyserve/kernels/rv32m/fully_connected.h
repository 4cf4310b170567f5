/* SPDX-License-Identifier: Apache-2.0 */
/* FULLY_CONNECTED, int8, for RV32M: four channels at a time share the loads of the row.
 *
 * Input [batches][depth], output [batches][channels]. Equals ts_fully_connected_s8 (and so TFLM's
 * reference_integer_ops::FullyConnected) byte for byte, for the factors and accumulators that requantize.h takes. */
#ifndef TS_KERNELS_RV32M_FULLY_CONNECTED_H
#define TS_KERNELS_RV32M_FULLY_CONNECTED_H

#include "../common/params.h"
#include "dots.h"

typedef struct {
    const int8_t *weights;  /* [channels / 4, rounded up][depth][4], missing channels 0 */
    const int32_t *bias;    /* of each channel, missing ones, too; the input's zero point is folded in */
    const int32_t *requant; /* ts_rv32m_channel of each channel, or one for all; its bias is not read */
    int32_t requant_step;   /* 1 or 0 */
    int32_t batches, depth, channels;
    ts_activation activation;
} ts_rv32m_fully_connected_params;

static inline void ts_rv32m_fully_connected_s8(const ts_rv32m_fully_connected_params *p, const int8_t *input,
                                               int8_t *output)
{
    for (int32_t b = 0; b < p->batches; b++, input += p->depth) {
        const ts_rv32m_channel *channel = (const ts_rv32m_channel *)(const void *)p->requant;
        const int8_t *weights = p->weights;
        const int32_t *bias = p->bias;
        for (int32_t left = p->channels; left > 0; left -= TS_RV32M_CHANNELS) {
            const int32_t count = left < TS_RV32M_CHANNELS ? left : TS_RV32M_CHANNELS;
            int32_t sums[TS_RV32M_CHANNELS];
            ts_rv32m_dots_1x4(input, weights, p->depth, bias, sums);
            for (int32_t c = 0; c < count; c++, channel += p->requant_step) {
                *output++ = ts_rv32m_requantize(sums[c], channel, p->activation);
            }
            weights += TS_RV32M_CHANNELS * p->depth;
            bias += TS_RV32M_CHANNELS;
        }
    }
}

#endif
