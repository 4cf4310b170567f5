/* SPDX-License-Identifier: Apache-2.0 */
/* UNIDIRECTIONAL_SEQUENCE_LSTM on integers from dot products of several rows of weights with one vector: what an
 * instruction set's header makes its kernels of. */
#ifndef TS_BY_DOTS_UNIDIRECTIONAL_SEQUENCE_LSTM_H
#define TS_BY_DOTS_UNIDIRECTIONAL_SEQUENCE_LSTM_H

#include "../common/copy.h"
#include "../unidirectional_sequence_lstm.h"

#define TS_LSTM_BLOCK 16 /* units at a time */

/* A gate of `count` units from the sums of their products. */
#define TS_LSTM_GATE_VALUES(ISA, SUFFIX, ADD, REQUANTIZE)                                                              \
    static inline void ts_##ISA##_lstm_gate_values_##SUFFIX(                                                           \
        const ts_unidirectional_sequence_lstm_##SUFFIX##_params *p, int32_t gate, int32_t unit, int32_t count,         \
        const int32_t *from_input, const int32_t *recurrent, int16_t *values)                                          \
    {                                                                                                                  \
        const ts_lstm_gate_##SUFFIX g = p->gates[gate];                                                                \
        const uint16_t *const sigmoid = p->sigmoid;                                                                    \
        _Pragma("GCC unroll 2") for (int32_t i = 0; i < count; i++)                                                    \
        {                                                                                                              \
            const int32_t first = REQUANTIZE(ADD(g.input_bias[unit + i], from_input[i]), g.input_factor);              \
            const int32_t second = REQUANTIZE(ADD(g.recurrent_bias[unit + i], recurrent[i]), g.recurrent_factor);      \
            const int32_t sum = ts_lstm_saturate_s16(first) + ts_lstm_saturate_s16(second);                            \
            const int32_t scaled = 3 * ts_lstm_saturate_s16(sum);                                                      \
            values[i] = gate == TS_LSTM_CELL ? ts_tanh_of_scaled_s16(sigmoid, scaled)                                  \
                                             : ts_logistic_of_scaled_s16(sigmoid, scaled);                             \
        }                                                                                                              \
    }

/* New cells and outputs of `count` units from their gates. */
#define TS_LSTM_CELLS(ISA, SUFFIX, T, REQUANTIZE, MIN, MAX)                                                            \
    static inline void ts_##ISA##_lstm_cells_##SUFFIX(const ts_unidirectional_sequence_lstm_##SUFFIX##_params *p,      \
                                                      int32_t count, const int16_t(*gates)[TS_LSTM_BLOCK], T *output,  \
                                                      int16_t *cell)                                                   \
    {                                                                                                                  \
        for (int32_t i = 0; i < count; i++) {                                                                          \
            const int32_t kept =                                                                                       \
                ts_lstm_saturate_s16(REQUANTIZE(gates[TS_LSTM_FORGET][i] * cell[i], p->forget_factor));                \
            const int32_t update =                                                                                     \
                ts_lstm_saturate_s16(REQUANTIZE(gates[TS_LSTM_INPUT][i] * gates[TS_LSTM_CELL][i], p->update_factor));  \
            int32_t now = ts_lstm_saturate_s16(kept + update);                                                         \
            if (p->cell_clip > 0) {                                                                                    \
                now = ts_clamp(now, -p->cell_clip, p->cell_clip);                                                      \
            }                                                                                                          \
            cell[i] = (int16_t)now;                                                                                    \
            const int32_t scaled = ts_lstm_scaled_cell(now, p->cell_to_sigmoid, p->cell_shift);                        \
            const int32_t seen = ts_tanh_of_scaled_s16(p->sigmoid, scaled);                                            \
            const int32_t next = REQUANTIZE(seen * gates[TS_LSTM_OUTPUT][i], p->hidden_factor);                        \
            output[i] = (T)ts_clamp(ts_wrap_add(next, p->hidden_zero_point), MIN, MAX);                                \
        }                                                                                                              \
    }

/* The kernel, of parameters P in which PLAIN finds the portable kernel's. It has from ts_ISA_lstm_sums_SUFFIX(p, gate,
 * unit, count, input, hidden, from_input, recurrent) the sums of `count` units. */
#define TS_LSTM_STEPS(ISA, SUFFIX, T, P, PLAIN)                                                                        \
    static inline void ts_##ISA##_lstm_step_##SUFFIX(const P *p, const T *input, T *output, T *hidden, int16_t *cell)  \
    {                                                                                                                  \
        const int32_t units = PLAIN(p)->units;                                                                         \
        for (int32_t unit = 0; unit < units; unit += TS_LSTM_BLOCK) {                                                  \
            const int32_t count = ts_min(TS_LSTM_BLOCK, units - unit);                                                 \
            int16_t gates[TS_LSTM_GATES][TS_LSTM_BLOCK];                                                               \
            int32_t from_input[TS_LSTM_BLOCK], recurrent[TS_LSTM_BLOCK];                                               \
            _Pragma("GCC unroll 4") for (int32_t gate = 0; gate < TS_LSTM_GATES; gate++)                               \
            {                                                                                                          \
                ts_##ISA##_lstm_sums_##SUFFIX(p, gate, unit, count, input, hidden, from_input, recurrent);             \
                ts_##ISA##_lstm_gate_values_##SUFFIX(PLAIN(p), gate, unit, count, from_input, recurrent, gates[gate]); \
            }                                                                                                          \
            ts_##ISA##_lstm_cells_##SUFFIX(PLAIN(p), count, (const int16_t(*)[TS_LSTM_BLOCK])gates, output + unit,     \
                                           cell + unit);                                                               \
        }                                                                                                              \
        ts_copy_bytes(hidden, output, units *(int32_t)sizeof(T));                                                      \
    }                                                                                                                  \
                                                                                                                       \
    static inline void ts_##ISA##_unidirectional_sequence_lstm_##SUFFIX(const P *params, const T *input, T *output,    \
                                                                        T *hidden, int16_t *cell)                      \
    {                                                                                                                  \
        const ts_unidirectional_sequence_lstm_##SUFFIX##_params *const p = PLAIN(params);                              \
        for (int32_t b = 0; b < p->batches; b++, hidden += p->units, cell += p->units) {                               \
            for (int32_t t = 0; t < p->steps; t++) {                                                                   \
                const int32_t row = p->time_major ? t * p->batches + b : b * p->steps + t;                             \
                ts_##ISA##_lstm_step_##SUFFIX(params, input + row * p->inputs, output + row * p->units, hidden, cell); \
            }                                                                                                          \
        }                                                                                                              \
    }

/* Of weights as they lie in the model. Equal to the portable kernel while no sum of products exceeds 32 bits. */
#define TS_LSTM_PLAIN(p) (p)
#define TS_LSTM_BY_DOTS(ISA, SUFFIX, T, DOTS)                                                                          \
    static inline void ts_##ISA##_lstm_sums_##SUFFIX(const ts_unidirectional_sequence_lstm_##SUFFIX##_params *p,       \
                                                     int32_t gate, int32_t unit, int32_t count, const T *input,        \
                                                     const T *hidden, int32_t *from_input, int32_t *recurrent)         \
    {                                                                                                                  \
        const ts_lstm_gate_##SUFFIX *const g = &p->gates[gate];                                                        \
        DOTS(g->input_weights + unit * p->inputs, input, from_input, count, p->inputs);                                \
        DOTS(g->recurrent_weights + unit * p->units, hidden, recurrent, count, p->units);                              \
    }                                                                                                                  \
                                                                                                                       \
    TS_LSTM_STEPS(ISA, SUFFIX, T, ts_unidirectional_sequence_lstm_##SUFFIX##_params, TS_LSTM_PLAIN)

/* All of it for activations of 16 bits, whose sums are scaled in 64. */
#define TS_LSTM_S16_BY_DOTS(ISA, DOTS)                                                                                 \
    TS_LSTM_GATE_VALUES(ISA, s16, ts_wrap_add_s64, ts_requantize_by_s64)                                               \
    TS_LSTM_CELLS(ISA, s16, int16_t, ts_requantize_by, INT16_MIN, INT16_MAX)                                           \
    TS_LSTM_BY_DOTS(ISA, s16, int16_t, DOTS)

#endif
