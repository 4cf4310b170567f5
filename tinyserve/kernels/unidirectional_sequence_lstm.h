/* SPDX-License-Identifier: Apache-2.0 */
/* UNIDIRECTIONAL_SEQUENCE_LSTM: the plain LSTM, without peepholes, projection and layer normalization. */
#ifndef TS_UNIDIRECTIONAL_SEQUENCE_LSTM_H
#define TS_UNIDIRECTIONAL_SEQUENCE_LSTM_H

#include <stddef.h>
#include <stdint.h>

#include "common/fixed_point.h"
#include "common/float_sum.h"
#include "common/math.h"
#include "common/sigmoid.h"

enum { TS_LSTM_INPUT, TS_LSTM_FORGET, TS_LSTM_CELL, TS_LSTM_OUTPUT, TS_LSTM_GATES };

/* Rows of input and output are [batches][steps], or [steps][batches] where time_major. A gate's weights are
 * [units][inputs] and [units][units]; biases [units] include the zero points. Gates are in Q3.12 before their
 * activation and in Q0.15 after it; cell_to_sigmoid scales the cell to the argument of tanh, and cell_shift halves
 * it, rounding. cell_clip 0: none. */
#define TS_LSTM_PARAMS(SUFFIX, BIAS)                                                                                   \
    typedef struct {                                                                                                   \
        const int8_t *input_weights, *recurrent_weights;                                                               \
        const BIAS *input_bias, *recurrent_bias;                                                                       \
        ts_factor input_factor;                                                                                        \
        ts_factor recurrent_factor;                                                                                    \
    } ts_lstm_gate_##SUFFIX;                                                                                           \
                                                                                                                       \
    typedef struct {                                                                                                   \
        int32_t batches, steps, inputs, units, time_major;                                                             \
        ts_lstm_gate_##SUFFIX gates[TS_LSTM_GATES];                                                                    \
        const uint16_t *sigmoid;                                                                                       \
        ts_factor forget_factor; /* forget gate times cell */                                                          \
        ts_factor update_factor; /* input gate times cell gate */                                                      \
        ts_factor hidden_factor; /* output gate times tanh(cell) */                                                    \
        int32_t hidden_zero_point, cell_clip, cell_to_sigmoid, cell_shift;                                             \
    } ts_unidirectional_sequence_lstm_##SUFFIX##_params;

static inline int32_t ts_lstm_saturate_s16(int32_t value)
{
#if defined(__ARM_FEATURE_SAT) && defined(__GNUC__) && !defined(__clang__)
    __asm__("ssat %0, #16, %1" : "=r"(value) : "r"(value) : "cc"); /* which GCC does not find */
    return value;
#endif
    return ts_clamp(value, INT16_MIN, INT16_MAX);
}

static inline int32_t ts_lstm_scaled_cell(int32_t cell, int32_t factor, int32_t shift)
{
    return (cell * factor + (1 << shift >> 1)) >> shift;
}

/* Equal to TFLM's integer LSTM. */
#define TS_LSTM(SUFFIX, T, BIAS, MULTIPLY_ADD, REQUANTIZE, MIN, MAX)                                                   \
    static inline int32_t ts_lstm_dot_##SUFFIX(const int8_t *weights, const T *values, int32_t count, BIAS sum,        \
                                               ts_factor factor)                                                       \
    {                                                                                                                  \
        for (int32_t i = 0; i < count; i++) {                                                                          \
            sum = MULTIPLY_ADD(sum, weights[i], values[i]);                                                            \
        }                                                                                                              \
        return ts_lstm_saturate_s16(REQUANTIZE(sum, factor));                                                          \
    }                                                                                                                  \
                                                                                                                       \
    static inline int32_t ts_lstm_gate_value_##SUFFIX(const ts_unidirectional_sequence_lstm_##SUFFIX##_params *p,      \
                                                      int32_t gate, int32_t unit, const T *input, const T *hidden)     \
    {                                                                                                                  \
        const ts_lstm_gate_##SUFFIX *const g = &p->gates[gate];                                                        \
        const int32_t from_input = ts_lstm_dot_##SUFFIX(g->input_weights + unit * p->inputs, input, p->inputs,         \
                                                        g->input_bias[unit], g->input_factor);                         \
        const int32_t recurrent = ts_lstm_dot_##SUFFIX(g->recurrent_weights + unit * p->units, hidden, p->units,       \
                                                       g->recurrent_bias[unit], g->recurrent_factor);                  \
        const int32_t scaled = 3 * ts_lstm_saturate_s16(from_input + recurrent);                                       \
        return gate == TS_LSTM_CELL ? ts_tanh_of_scaled_s16(p->sigmoid, scaled)                                        \
                                    : ts_logistic_of_scaled_s16(p->sigmoid, scaled);                                   \
    }                                                                                                                  \
                                                                                                                       \
    static inline void ts_lstm_step_##SUFFIX(const ts_unidirectional_sequence_lstm_##SUFFIX##_params *p,               \
                                             const T *input, T *output, T *hidden, int16_t *cell)                      \
    {                                                                                                                  \
        for (int32_t unit = 0; unit < p->units; unit++) {                                                              \
            int32_t gates[TS_LSTM_GATES];                                                                              \
            for (int32_t gate = 0; gate < TS_LSTM_GATES; gate++) {                                                     \
                gates[gate] = ts_lstm_gate_value_##SUFFIX(p, gate, unit, input, hidden);                               \
            }                                                                                                          \
            const int32_t kept =                                                                                       \
                ts_lstm_saturate_s16(ts_requantize_by(gates[TS_LSTM_FORGET] * cell[unit], p->forget_factor));          \
            const int32_t update =                                                                                     \
                ts_lstm_saturate_s16(ts_requantize_by(gates[TS_LSTM_INPUT] * gates[TS_LSTM_CELL], p->update_factor));  \
            int32_t now = ts_lstm_saturate_s16(kept + update);                                                         \
            if (p->cell_clip > 0) {                                                                                    \
                now = ts_clamp(now, -p->cell_clip, p->cell_clip);                                                      \
            }                                                                                                          \
            cell[unit] = (int16_t)now;                                                                                 \
            const int32_t scaled = ts_lstm_scaled_cell(now, p->cell_to_sigmoid, p->cell_shift);                        \
            const int32_t seen = ts_tanh_of_scaled_s16(p->sigmoid, scaled);                                            \
            const int32_t next = ts_requantize_by(seen * gates[TS_LSTM_OUTPUT], p->hidden_factor);                     \
            output[unit] = (T)ts_clamp(ts_wrap_add(next, p->hidden_zero_point), MIN, MAX);                             \
        }                                                                                                              \
        for (int32_t unit = 0; unit < p->units; unit++) {                                                              \
            hidden[unit] = output[unit];                                                                               \
        }                                                                                                              \
    }                                                                                                                  \
                                                                                                                       \
    static inline void ts_unidirectional_sequence_lstm_##SUFFIX(                                                       \
        const ts_unidirectional_sequence_lstm_##SUFFIX##_params *p, const T *input, T *output, T *hidden,              \
        int16_t *cell)                                                                                                 \
    {                                                                                                                  \
        for (int32_t b = 0; b < p->batches; b++, hidden += p->units, cell += p->units) {                               \
            for (int32_t t = 0; t < p->steps; t++) {                                                                   \
                const int32_t row = p->time_major ? t * p->batches + b : b * p->steps + t;                             \
                ts_lstm_step_##SUFFIX(p, input + row * p->inputs, output + row * p->units, hidden, cell);              \
            }                                                                                                          \
        }                                                                                                              \
    }

static inline int32_t ts_lstm_multiply_add_s8(int32_t sum, int32_t weight, int32_t value)
{
    return ts_wrap_add(sum, weight * value);
}

static inline int64_t ts_lstm_multiply_add_s16(int64_t sum, int32_t weight, int32_t value)
{
    return ts_wrap_add_s64(sum, weight * value);
}

TS_LSTM_PARAMS(s8, int32_t)
TS_LSTM_PARAMS(s16, int64_t)
TS_LSTM(s8, int8_t, int32_t, ts_lstm_multiply_add_s8, ts_requantize_by, INT8_MIN, INT8_MAX)
TS_LSTM(s16, int16_t, int64_t, ts_lstm_multiply_add_s16, ts_requantize_by_s64, INT16_MIN, INT16_MAX)

#undef TS_LSTM
#undef TS_LSTM_PARAMS

/* Bytes of the biases of computed weights, with the sums for zero points in them: of inputs and of hidden values. */
#define TS_LSTM_BIASES_BYTES(units, BIAS) (TS_LSTM_GATES * 2 * (units) * (int32_t)sizeof(BIAS))

/* Weights and biases that are computed at run time: the input's and the recurrent weights of each gate, then the
 * biases, NULL in the parameters. with_offsets [gates][2][units] takes the biases with the zero points. */
#define TS_LSTM_COMPUTED(SUFFIX, T, BIAS, MULTIPLY_ADD)                                                                \
    typedef struct {                                                                                                   \
        ts_unidirectional_sequence_lstm_##SUFFIX##_params lstm;                                                        \
        int32_t input_zero_point;                                                                                      \
    } ts_unidirectional_sequence_lstm_##SUFFIX##_computed_params;                                                      \
                                                                                                                       \
    /* Sums that start at bias (NULL: 0) less the zero point times each row of weights. */                             \
    static inline const BIAS *ts_lstm_bias_##SUFFIX(const BIAS *bias, const int8_t *weights, int32_t rows,             \
                                                    int32_t depth, int32_t zero_point, BIAS *sums)                     \
    {                                                                                                                  \
        for (int32_t row = 0; row < rows; row++, weights += depth) {                                                   \
            sums[row] = 0;                                                                                             \
            if (bias) {                                                                                                \
                sums[row] = bias[row];                                                                                 \
            }                                                                                                          \
            for (int32_t i = 0; i < depth; i++) {                                                                      \
                sums[row] = MULTIPLY_ADD(sums[row], weights[i], -zero_point);                                          \
            }                                                                                                          \
        }                                                                                                              \
        return sums;                                                                                                   \
    }                                                                                                                  \
                                                                                                                       \
    static inline void ts_unidirectional_sequence_lstm_##SUFFIX##_computed(                                            \
        const ts_unidirectional_sequence_lstm_##SUFFIX##_computed_params *p, const T *input, const int8_t *w0,         \
        const int8_t *w1, const int8_t *w2, const int8_t *w3, const int8_t *r0, const int8_t *r1, const int8_t *r2,    \
        const int8_t *r3, const BIAS *b0, const BIAS *b1, const BIAS *b2, const BIAS *b3, T *output, T *hidden,        \
        int16_t *cell, BIAS *with_offsets)                                                                             \
    {                                                                                                                  \
        const int8_t *const weights[TS_LSTM_GATES] = {w0, w1, w2, w3}, *const recurrent[] = {r0, r1, r2, r3};          \
        const BIAS *const biases[TS_LSTM_GATES] = {b0, b1, b2, b3};                                                    \
        ts_unidirectional_sequence_lstm_##SUFFIX##_params with = p->lstm;                                              \
        for (int32_t gate = 0; gate < TS_LSTM_GATES; gate++, with_offsets += 2 * with.units) {                         \
            ts_lstm_gate_##SUFFIX *const g = &with.gates[gate];                                                        \
            g->input_weights = weights[gate];                                                                          \
            g->recurrent_weights = recurrent[gate];                                                                    \
            g->input_bias = ts_lstm_bias_##SUFFIX(biases[gate], weights[gate], with.units, with.inputs,                \
                                                  p->input_zero_point, with_offsets);                                  \
            g->recurrent_bias = ts_lstm_bias_##SUFFIX(NULL, recurrent[gate], with.units, with.units,                   \
                                                      with.hidden_zero_point, with_offsets + with.units);              \
        }                                                                                                              \
        ts_unidirectional_sequence_lstm_##SUFFIX(&with, input, output, hidden, cell);                                  \
    }

TS_LSTM_COMPUTED(s8, int8_t, int32_t, ts_lstm_multiply_add_s8)
TS_LSTM_COMPUTED(s16, int16_t, int64_t, ts_lstm_multiply_add_s16)

#undef TS_LSTM_COMPUTED

typedef struct {
    const float *input_weights, *recurrent_weights, *input_bias;
} ts_lstm_gate_f32;

typedef struct {
    int32_t batches, steps, inputs, units, time_major;
    ts_lstm_gate_f32 gates[TS_LSTM_GATES];
    float cell_clip;
} ts_unidirectional_sequence_lstm_f32_params;

static inline float ts_lstm_gate_value_f32(const ts_unidirectional_sequence_lstm_f32_params *p, int32_t gate,
                                           int32_t unit, const float *input, const float *hidden)
{
    const ts_lstm_gate_f32 *const g = &p->gates[gate];
    const float *input_weights = g->input_weights + unit * p->inputs;
    const float *recurrent_weights = g->recurrent_weights + unit * p->units;
    float from_input = 0.0f, recurrent = 0.0f;
    for (int32_t i = 0; i < p->inputs; i++) {
        from_input = ts_add_product(from_input, input_weights[i], input[i]);
    }
    for (int32_t i = 0; i < p->units; i++) {
        recurrent = ts_add_product(recurrent, recurrent_weights[i], hidden[i]);
    }
    const float sum = from_input + g->input_bias[unit] + recurrent;
    return gate == TS_LSTM_CELL ? ts_tanhf(sum) : ts_logisticf(sum);
}

static inline void ts_lstm_step_f32(const ts_unidirectional_sequence_lstm_f32_params *p, const float *input,
                                    float *output, float *hidden, float *cell)
{
    for (int32_t unit = 0; unit < p->units; unit++) {
        float gates[TS_LSTM_GATES];
        for (int32_t gate = 0; gate < TS_LSTM_GATES; gate++) {
            gates[gate] = ts_lstm_gate_value_f32(p, gate, unit, input, hidden);
        }
        float now = gates[TS_LSTM_FORGET] * cell[unit] + gates[TS_LSTM_INPUT] * gates[TS_LSTM_CELL];
        if (p->cell_clip > 0.0f) {
            now = now < p->cell_clip ? now : p->cell_clip;
            now = now > -p->cell_clip ? now : -p->cell_clip;
        }
        cell[unit] = now;
        output[unit] = ts_tanhf(now) * gates[TS_LSTM_OUTPUT];
    }
    for (int32_t unit = 0; unit < p->units; unit++) {
        hidden[unit] = output[unit];
    }
}

static inline void ts_unidirectional_sequence_lstm_f32(const ts_unidirectional_sequence_lstm_f32_params *p,
                                                       const float *input, float *output, float *hidden, float *cell)
{
    for (int32_t b = 0; b < p->batches; b++, hidden += p->units, cell += p->units) {
        for (int32_t t = 0; t < p->steps; t++) {
            const int32_t row = p->time_major ? t * p->batches + b : b * p->steps + t;
            ts_lstm_step_f32(p, input + row * p->inputs, output + row * p->units, hidden, cell);
        }
    }
}

typedef struct {
    ts_unidirectional_sequence_lstm_f32_params lstm;
} ts_unidirectional_sequence_lstm_f32_computed_params;

static inline void ts_unidirectional_sequence_lstm_f32_computed(
    const ts_unidirectional_sequence_lstm_f32_computed_params *p, const float *input, const float *w0, const float *w1,
    const float *w2, const float *w3, const float *r0, const float *r1, const float *r2, const float *r3,
    const float *b0, const float *b1, const float *b2, const float *b3, float *output, float *hidden, float *cell)
{
    const ts_lstm_gate_f32 gates[TS_LSTM_GATES] = {{w0, r0, b0}, {w1, r1, b1}, {w2, r2, b2}, {w3, r3, b3}};
    ts_unidirectional_sequence_lstm_f32_params with = p->lstm;
    for (int32_t gate = 0; gate < TS_LSTM_GATES; gate++) {
        with.gates[gate] = gates[gate];
    }
    ts_unidirectional_sequence_lstm_f32(&with, input, output, hidden, cell);
}

#endif
