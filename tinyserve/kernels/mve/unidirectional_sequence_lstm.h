/* SPDX-License-Identifier: Apache-2.0 */
/* UNIDIRECTIONAL_SEQUENCE_LSTM: dot products of four rows at a time with VMLADAV, then four units at a time. */
#ifndef TS_MVE_UNIDIRECTIONAL_SEQUENCE_LSTM_H
#define TS_MVE_UNIDIRECTIONAL_SEQUENCE_LSTM_H

#include "../by_dots/unidirectional_sequence_lstm.h"
#include "dots.h"
#include "matmul.h"
#include "scaled.h"

TS_MVE_INLINE int32x4_t ts_mve_clamp(int32x4_t value, int32_t low, int32_t high)
{
    return vminq_s32(vmaxq_s32(value, vdupq_n_s32(low)), vdupq_n_s32(high));
}

/* Between two neighbours of a table, rounded down: (low << bits) + fraction * (high - low); above where the index is
 * beyond the table. */
TS_MVE_INLINE int32x4_t ts_mve_sigmoid(const uint16_t *sigmoid, uint32x4_t magnitude, uint32x4_t index,
                                       uint32_t fraction_mask, int32_t bits, int32_t above)
{
    const mve_pred16_t inside = vcmpcsq_n_u32(index, 255);
    const uint32x4_t place = vminq_u32(index, vdupq_n_u32(254));
    const uint32x4_t low = vldrhq_gather_shifted_offset_u32(sigmoid, place);
    const uint32x4_t high = vldrhq_gather_shifted_offset_u32(sigmoid + 1, place);
    const uint32x4_t fraction = vandq_u32(magnitude, vdupq_n_u32(fraction_mask));
    const uint32x4_t between = vaddq_u32(vshlq_r_u32(low, bits), vmulq_u32(fraction, vsubq_u32(high, low)));
    return vpselq_s32(vdupq_n_s32(above), vreinterpretq_s32_u32(between), inside);
}

/* ts_logistic_of_scaled_s16 of four. */
TS_MVE_INLINE int32x4_t ts_mve_logistic(const uint16_t *sigmoid, int32x4_t scaled)
{
    const uint32x4_t magnitude = vreinterpretq_u32_s32(vabsq_s32(scaled));
    const int32x4_t result = ts_mve_sigmoid(sigmoid, magnitude, vshrq_n_u32(magnitude, 9), 0x1ff, 9, 0x7fff << 10);
    const int32x4_t negative = vsubq_s32(vdupq_n_s32((1 << 25) + (1 << 9) - 1), result);
    const mve_pred16_t positive = vcmpgeq_n_s32(scaled, 0);
    return vshrq_n_s32(vpselq_s32(vaddq_n_s32(result, 1 << 9), negative, positive), 10);
}

/* ts_tanh_of_scaled_s16 of four. */
TS_MVE_INLINE int32x4_t ts_mve_tanh(const uint16_t *sigmoid, int32x4_t scaled)
{
    const uint32x4_t magnitude = vreinterpretq_u32_s32(vabsq_s32(scaled));
    const int32x4_t result = ts_mve_sigmoid(sigmoid, magnitude, vshrq_n_u32(magnitude, 8), 0xff, 8, 0xffff << 8);
    const int32x4_t negative = vsubq_s32(vdupq_n_s32((1 << 23) + (1 << 7) - 1), result);
    const mve_pred16_t positive = vcmpgeq_n_s32(scaled, 0);
    return vshrq_n_s32(vpselq_s32(vsubq_s32(result, vdupq_n_s32((1 << 23) - (1 << 7))), negative, positive), 8);
}

TS_MVE_INLINE void ts_mve_lstm_gate_values_s8(const ts_unidirectional_sequence_lstm_s8_params *p, int32_t gate,
                                              int32_t unit, int32_t count, const int32_t *from_input,
                                              const int32_t *recurrent, int16_t *values)
{
    const ts_lstm_gate_s8 g = p->gates[gate];
    const uint16_t *const sigmoid = p->sigmoid;
    for (int32_t i = 0; i < count; i += 4) {
        const mve_pred16_t lanes = vctp32q((uint32_t)(count - i));
        int32x4_t first = vaddq_s32(vldrwq_s32(from_input + i), vldrwq_z_s32(g.input_bias + unit + i, lanes));
        int32x4_t second = vaddq_s32(vldrwq_s32(recurrent + i), vldrwq_z_s32(g.recurrent_bias + unit + i, lanes));
        first = ts_mve_clamp(ts_mve_scaled(first, g.input_factor), INT16_MIN, INT16_MAX);
        second = ts_mve_clamp(ts_mve_scaled(second, g.recurrent_factor), INT16_MIN, INT16_MAX);
        const int32x4_t sum = ts_mve_clamp(vaddq_s32(first, second), INT16_MIN, INT16_MAX);
        const int32x4_t scaled = vmulq_n_s32(sum, 3);
        vstrhq_s32(values + i, gate == TS_LSTM_CELL ? ts_mve_tanh(sigmoid, scaled) : ts_mve_logistic(sigmoid, scaled));
    }
}

TS_MVE_INLINE void ts_mve_lstm_cells_s8(const ts_unidirectional_sequence_lstm_s8_params *p, int32_t count,
                                        const int16_t (*gates)[TS_LSTM_BLOCK], int8_t *output, int16_t *cell)
{
    for (int32_t i = 0; i < count; i += 4) {
        const mve_pred16_t lanes = vctp32q((uint32_t)(count - i));
        int32x4_t kept = vmulq_s32(vldrhq_s32(gates[TS_LSTM_FORGET] + i), vldrhq_z_s32(cell + i, lanes));
        int32x4_t update = vmulq_s32(vldrhq_s32(gates[TS_LSTM_INPUT] + i), vldrhq_s32(gates[TS_LSTM_CELL] + i));
        kept = ts_mve_clamp(ts_mve_scaled(kept, p->forget_factor), INT16_MIN, INT16_MAX);
        update = ts_mve_clamp(ts_mve_scaled(update, p->update_factor), INT16_MIN, INT16_MAX);
        int32x4_t now = ts_mve_clamp(vaddq_s32(kept, update), INT16_MIN, INT16_MAX);
        if (p->cell_clip > 0) {
            now = ts_mve_clamp(now, -p->cell_clip, p->cell_clip);
        }
        TS_STORE_LANES(vstrhq_p_s32, cell + i, now, lanes);
        const int32x4_t scaled = vrshlq_n_s32(vmulq_n_s32(now, p->cell_to_sigmoid), -p->cell_shift);
        const int32x4_t seen = ts_mve_tanh(p->sigmoid, scaled);
        const int32x4_t product = vmulq_s32(seen, vldrhq_s32(gates[TS_LSTM_OUTPUT] + i));
        const int32x4_t next = ts_mve_scaled(product, p->hidden_factor);
        TS_STORE_LANES(vstrbq_p_s32, output + i,
                       ts_mve_clamp(vaddq_n_s32(next, p->hidden_zero_point), INT8_MIN, INT8_MAX), lanes);
    }
}

TS_LSTM_BY_DOTS(mve, s8, int8_t, ts_mve_dots_s8)
TS_LSTM_S16_BY_DOTS(mve, ts_mve_dots_s16)

#endif
