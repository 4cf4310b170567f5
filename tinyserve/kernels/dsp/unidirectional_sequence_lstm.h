/* SPDX-License-Identifier: Apache-2.0 */
/* UNIDIRECTIONAL_SEQUENCE_LSTM: dot products of four rows at a time with SMLAD, for Armv7E-M with DSP and later. */
#ifndef TS_DSP_UNIDIRECTIONAL_SEQUENCE_LSTM_H
#define TS_DSP_UNIDIRECTIONAL_SEQUENCE_LSTM_H

#include "../by_dots/unidirectional_sequence_lstm.h"
#include "dots.h"
#include "fully_connected.h"
#include "scaled.h"

TS_LSTM_GATE_VALUES(dsp, s8, ts_wrap_add, ts_dsp_scaled)
TS_LSTM_CELLS(dsp, s8, int8_t, ts_dsp_scaled, INT8_MIN, INT8_MAX)
TS_LSTM_BY_DOTS(dsp, s8, int8_t, ts_dsp_dots_s8)
TS_LSTM_S16_BY_DOTS(dsp, ts_dsp_dots_s16)

/* Weights of both sides of a gate as fully_connected.S reads them, with the biases, in groups of 8 units. The plain
 * parameters have neither. */
typedef struct {
    const uint32_t *input, *recurrent;
} ts_dsp_lstm_gate;

typedef struct {
    ts_unidirectional_sequence_lstm_s8_params lstm;
    ts_dsp_lstm_gate packed[TS_LSTM_GATES];
} ts_dsp_lstm_s8_params;

#define TS_DSP_LSTM_GROUP 8

static inline void ts_dsp_lstm_side(const uint32_t *weights, int32_t unit, int32_t count, const int8_t *values,
                                    int32_t depth, int32_t *sums)
{
    const int32_t group_words = TS_DSP_LSTM_GROUP * ((depth + 3) / 4 + 1), first = unit / TS_DSP_LSTM_GROUP;
    const int32_t groups = (count + TS_DSP_LSTM_GROUP - 1) / TS_DSP_LSTM_GROUP;
    const ts_dsp_sums job = {depth / 4, depth % 4, weights + first * group_words, groups};
    ts_dsp_sums_8(&job, values, sums);
}

static inline void ts_dsp_packed_lstm_sums_s8(const ts_dsp_lstm_s8_params *p, int32_t gate, int32_t unit, int32_t count,
                                              const int8_t *input, const int8_t *hidden, int32_t *from_input,
                                              int32_t *recurrent)
{
    ts_dsp_lstm_side(p->packed[gate].input, unit, count, input, p->lstm.inputs, from_input);
    ts_dsp_lstm_side(p->packed[gate].recurrent, unit, count, hidden, p->lstm.units, recurrent);
}

#define TS_DSP_LSTM_PLAIN(p) (&(p)->lstm)
#define TS_DSP_LSTM_HAS_BIAS(bias, sum) ((void)sizeof(bias), (sum))

TS_LSTM_GATE_VALUES(dsp_packed, s8, TS_DSP_LSTM_HAS_BIAS, ts_dsp_scaled)
TS_LSTM_CELLS(dsp_packed, s8, int8_t, ts_dsp_scaled, INT8_MIN, INT8_MAX)
TS_LSTM_STEPS(dsp_packed, s8, int8_t, ts_dsp_lstm_s8_params, TS_DSP_LSTM_PLAIN)

#undef TS_DSP_LSTM_PLAIN
#undef TS_DSP_LSTM_HAS_BIAS

#endif
