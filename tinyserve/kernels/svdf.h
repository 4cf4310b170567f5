/* SPDX-License-Identifier: Apache-2.0 */
/* SVDF: each filter keeps the last results of its features over time and weighs them; units sum their filters. */
#ifndef TS_SVDF_H
#define TS_SVDF_H

#include <stdint.h>

#include "common/fixed_point.h"
#include "common/float_sum.h"
#include "common/params.h"

/* feature_weights [units * rank][inputs], time_weights [units * rank][memory], bias [units]. Offsets are negated
 * zero points but for state_zero_point and output_offset. */
#define TS_SVDF_PARAMS(SUFFIX, T)                                                                                      \
    typedef struct {                                                                                                   \
        int32_t batches, inputs, units, rank, memory;                                                                  \
        const int8_t *feature_weights;                                                                                 \
        const T *time_weights;                                                                                         \
        const int32_t *bias;                                                                                           \
        int32_t input_offset, state_zero_point;                                                                        \
        ts_factor feature_factor;                                                                                      \
        ts_factor output_factor;                                                                                       \
        int32_t output_offset;                                                                                         \
    } ts_svdf_##SUFFIX##_params;

/* state [batches][units * rank][memory], the newest result last. Equal to TFLM's integer SVDF. */
#define TS_SVDF(SUFFIX, T, MIN, MAX)                                                                                   \
    static inline int32_t ts_svdf_filter_##SUFFIX(const ts_svdf_##SUFFIX##_params *p, int32_t filter,                  \
                                                  const int8_t *input, T *state)                                       \
    {                                                                                                                  \
        const int8_t *features = p->feature_weights + filter * p->inputs;                                              \
        const T *times = p->time_weights + filter * p->memory;                                                         \
        int32_t feature = 0, sum = 0;                                                                                  \
        for (int32_t i = 0; i < p->inputs; i++) {                                                                      \
            feature = ts_wrap_add(feature, features[i] * (input[i] + p->input_offset));                                \
        }                                                                                                              \
        feature = ts_requantize_by(feature, p->feature_factor);                                                        \
        for (int32_t i = 0; i < p->memory - 1; i++) {                                                                  \
            state[i] = state[i + 1];                                                                                   \
        }                                                                                                              \
        state[p->memory - 1] = (T)ts_clamp(ts_wrap_add(feature, p->state_zero_point), MIN, MAX);                       \
        for (int32_t i = 0; i < p->memory; i++) {                                                                      \
            sum = ts_wrap_add(sum, times[i] * (state[i] - p->state_zero_point));                                       \
        }                                                                                                              \
        return sum;                                                                                                    \
    }                                                                                                                  \
                                                                                                                       \
    static inline void ts_svdf_##SUFFIX(const ts_svdf_##SUFFIX##_params *p, const int8_t *input, int8_t *output,       \
                                        T *state)                                                                      \
    {                                                                                                                  \
        for (int32_t b = 0; b < p->batches; b++, input += p->inputs) {                                                 \
            for (int32_t unit = 0; unit < p->units; unit++) {                                                          \
                int32_t sum = p->bias[unit];                                                                           \
                for (int32_t r = 0; r < p->rank; r++, state += p->memory) {                                            \
                    sum = ts_wrap_add(sum, ts_svdf_filter_##SUFFIX(p, unit * p->rank + r, input, state));              \
                }                                                                                                      \
                sum = ts_requantize_by(sum, p->output_factor);                                                         \
                *output++ = (int8_t)ts_clamp(ts_wrap_add(sum, p->output_offset), INT8_MIN, INT8_MAX);                  \
            }                                                                                                          \
        }                                                                                                              \
    }

TS_SVDF_PARAMS(s8, int8_t)
TS_SVDF_PARAMS(s16, int16_t) /* int16 is the type of the state and of its weights */
TS_SVDF(s8, int8_t, INT8_MIN, INT8_MAX)
TS_SVDF(s16, int16_t, INT16_MIN, INT16_MAX)

#undef TS_SVDF
#undef TS_SVDF_PARAMS

typedef struct {
    int32_t batches, inputs, units, rank, memory;
    const float *feature_weights, *time_weights;
    const float *bias; /* NULL: none */
    ts_activation_f32 activation;
} ts_svdf_f32_params;

static inline float ts_svdf_filter_f32(const ts_svdf_f32_params *p, int32_t filter, const float *input, float *state)
{
    const float *features = p->feature_weights + filter * p->inputs;
    const float *times = p->time_weights + filter * p->memory;
    float feature = 0.0f, sum = 0.0f;
    for (int32_t i = 0; i < p->inputs; i++) {
        feature = ts_add_product(feature, features[i], input[i]);
    }
    for (int32_t i = 0; i < p->memory - 1; i++) {
        state[i] = state[i + 1];
    }
    state[p->memory - 1] = feature;
    for (int32_t i = 0; i < p->memory; i++) {
        sum = ts_add_product(sum, times[i], state[i]);
    }
    return sum;
}

static inline void ts_svdf_f32(const ts_svdf_f32_params *p, const float *input, float *output, float *state)
{
    for (int32_t b = 0; b < p->batches; b++, input += p->inputs) {
        for (int32_t unit = 0; unit < p->units; unit++) {
            float sum = p->bias ? p->bias[unit] : 0.0f;
            for (int32_t r = 0; r < p->rank; r++, state += p->memory) {
                sum += ts_svdf_filter_f32(p, unit * p->rank + r, input, state);
            }
            *output++ = ts_activate_f32(p->activation, sum);
        }
    }
}

/* Weights and bias that are computed at run time, NULL in the parameters. */
#define TS_SVDF_COMPUTED(SUFFIX, IO, WEIGHT, T, BIAS)                                                                  \
    static inline void ts_svdf_##SUFFIX##_computed(const ts_svdf_##SUFFIX##_params *p, const IO *input,                \
                                                   const WEIGHT *feature_weights, const T *time_weights,               \
                                                   const BIAS *bias, IO *output, T *state)                             \
    {                                                                                                                  \
        ts_svdf_##SUFFIX##_params with = *p;                                                                           \
        with.feature_weights = feature_weights;                                                                        \
        with.time_weights = time_weights;                                                                              \
        with.bias = bias;                                                                                              \
        ts_svdf_##SUFFIX(&with, input, output, state);                                                                 \
    }

TS_SVDF_COMPUTED(s8, int8_t, int8_t, int8_t, int32_t)
TS_SVDF_COMPUTED(s16, int8_t, int8_t, int16_t, int32_t)
TS_SVDF_COMPUTED(f32, float, float, float, float)

#undef TS_SVDF_COMPUTED

#endif
