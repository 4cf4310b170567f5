/* SPDX-License-Identifier: Apache-2.0 */
/* UNIDIRECTIONAL_SEQUENCE_LSTM: dot products of four rows at a time, for Armv6-M. */
#ifndef TS_THUMB1_UNIDIRECTIONAL_SEQUENCE_LSTM_H
#define TS_THUMB1_UNIDIRECTIONAL_SEQUENCE_LSTM_H

#include "../by_dots/unidirectional_sequence_lstm.h"
#include "dots.h"

/* ts_requantize_by of |value| * 2^shift, for a shift to the left, below 2^23: the multiplier's bytes, from the lowest
 * up, each of whose products fits 32 bits. */
static inline int32_t ts_thumb1_short_scaled(int32_t value, ts_factor factor)
{
    const int32_t left = factor.shift > 0 ? factor.shift : 0, right = factor.shift > 0 ? 0 : -factor.shift;
    const int32_t by = factor.multiplier, shifted = ts_wrap_shift_left(value, left);
    int32_t high = (shifted * (by & 0xff)) >> 8;
    high = (high + shifted * (by >> 8 & 0xff)) >> 8;
    high = (high + shifted * (by >> 16 & 0xff)) >> 8;
    high = (high + shifted * (by >> 24) + (1 << 6)) >> 7;
    const int32_t half = (int32_t)((1u << right) >> 1), ties = right > 0 ? -1 : 0;
    return (high + half + ((high >> 31) & ties)) >> right;
}

/* ts_requantize_by of a product of at most 2^30 and a factor below 1, which is a power of two for cells. */
static inline int32_t ts_thumb1_product_scaled(int32_t value, ts_factor factor)
{
    const int32_t power = 1 << 30;
    const int32_t high =
        factor.multiplier == power ? (value + 1) >> 1 : ts_multiply_high_by_halves(value, factor.multiplier);
    return ts_divide_by_power_of_two(high, -factor.shift);
}

TS_LSTM_GATE_VALUES(thumb1, s8, ts_wrap_add, ts_requantize_by)
TS_LSTM_CELLS(thumb1, s8, int8_t, ts_thumb1_product_scaled, INT8_MIN, INT8_MAX)
TS_LSTM_BY_DOTS(thumb1, s8, int8_t, ts_thumb1_dots_s8)
TS_LSTM_S16_BY_DOTS(thumb1, ts_thumb1_dots_s16)

/* Of sums below 2^23. */
TS_LSTM_GATE_VALUES(thumb1_short, s8, ts_wrap_add, ts_thumb1_short_scaled)
TS_LSTM_CELLS(thumb1_short, s8, int8_t, ts_thumb1_product_scaled, INT8_MIN, INT8_MAX)
TS_LSTM_BY_DOTS(thumb1_short, s8, int8_t, ts_thumb1_dots_s8)

#endif
