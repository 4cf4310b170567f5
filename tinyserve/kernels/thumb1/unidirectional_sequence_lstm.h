/* SPDX-License-Identifier: Apache-2.0 */
/* UNIDIRECTIONAL_SEQUENCE_LSTM: dot products of four rows at a time, for Armv6-M. */
#ifndef TS_THUMB1_UNIDIRECTIONAL_SEQUENCE_LSTM_H
#define TS_THUMB1_UNIDIRECTIONAL_SEQUENCE_LSTM_H

#include "../by_dots/unidirectional_sequence_lstm.h"
#include "dots.h"

TS_LSTM_GATE_VALUES(thumb1, s8, ts_wrap_add, ts_requantize_by)
TS_LSTM_CELLS(thumb1, s8, int8_t, ts_requantize_by, INT8_MIN, INT8_MAX)
TS_LSTM_BY_DOTS(thumb1, s8, int8_t, ts_thumb1_dots_s8)
TS_LSTM_S16_BY_DOTS(thumb1, ts_thumb1_dots_s16)

#endif
