/* SPDX-License-Identifier: Apache-2.0 */
/* UNIDIRECTIONAL_SEQUENCE_LSTM: dot products of four rows at a time with SMLAD, for Armv7E-M with DSP and later. */
#ifndef TS_DSP_UNIDIRECTIONAL_SEQUENCE_LSTM_H
#define TS_DSP_UNIDIRECTIONAL_SEQUENCE_LSTM_H

#include "../by_dots/unidirectional_sequence_lstm.h"
#include "dots.h"
#include "scaled.h"

TS_LSTM_GATE_VALUES(dsp, s8, ts_wrap_add, ts_dsp_scaled)
TS_LSTM_CELLS(dsp, s8, int8_t, ts_dsp_scaled, INT8_MIN, INT8_MAX)
TS_LSTM_BY_DOTS(dsp, s8, int8_t, ts_dsp_dots_s8)
TS_LSTM_S16_BY_DOTS(dsp, ts_dsp_dots_s16)

#endif
