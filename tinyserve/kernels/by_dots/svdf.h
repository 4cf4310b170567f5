/* SPDX-License-Identifier: Apache-2.0 */
/* SVDF on integers from dot products of several rows of weights with one vector: what an instruction set's header makes
 * its kernels of. */
#ifndef TS_BY_DOTS_SVDF_H
#define TS_BY_DOTS_SVDF_H

#include "../common/copy.h"
#include "../svdf.h"

#define TS_SVDF_BLOCK 8 /* filters at a time */

/* feature_bias [units * rank]: the input's zero point times each filter's weights, negated. */
#define TS_SVDF_BY_DOTS_PARAMS(SUFFIX)                                                                                 \
    typedef struct {                                                                                                   \
        ts_svdf_##SUFFIX##_params svdf;                                                                                \
        const int32_t *feature_bias;                                                                                   \
    } ts_svdf_##SUFFIX##_by_dots_params;

TS_SVDF_BY_DOTS_PARAMS(s8)
TS_SVDF_BY_DOTS_PARAMS(s16)

#undef TS_SVDF_BY_DOTS_PARAMS

static inline int32_t ts_svdf_times_s16(const ts_svdf_s16_params *p, const int16_t *times, const int16_t *state)
{
    int32_t sum = 0;
#pragma GCC unroll 2
    for (int32_t i = 0; i < p->memory; i++) {
        sum = ts_wrap_add(sum, times[i] * (state[i] - p->state_zero_point));
    }
    return sum;
}

/* Where the state's zero point is 0, as TFLM's converter makes it, the sum is one more dot product. */
#define TS_SVDF_TIMES_BY_DOTS(ISA, DOTS)                                                                               \
    static inline int32_t ts_##ISA##_svdf_times_s8(const ts_svdf_s8_params *p, const int8_t *times,                    \
                                                   const int8_t *state)                                                \
    {                                                                                                                  \
        int32_t sum = 0;                                                                                               \
        if (p->state_zero_point == 0) {                                                                                \
            DOTS(times, state, &sum, 1, p->memory);                                                                    \
            return sum;                                                                                                \
        }                                                                                                              \
        for (int32_t i = 0; i < p->memory; i++) {                                                                      \
            sum = ts_wrap_add(sum, times[i] * (state[i] - p->state_zero_point));                                       \
        }                                                                                                              \
        return sum;                                                                                                    \
    }

/* TIMES(p, times, state): sum of times * (state - zero point). The states of all filters move by one as a whole: what
 * each one's last becomes is overwritten. */
#define TS_SVDF_BY_DOTS(ISA, SUFFIX, T, DOTS, TIMES, MIN, MAX)                                                         \
    static inline void ts_##ISA##_svdf_features_##SUFFIX(const ts_svdf_##SUFFIX##_by_dots_params *q,                   \
                                                         const int8_t *input, T *state)                                \
    {                                                                                                                  \
        const ts_svdf_##SUFFIX##_params *const p = &q->svdf;                                                           \
        const int32_t filters = p->units * p->rank;                                                                    \
        ts_copy_bytes(state, state + 1, (filters * p->memory - 1) * (int32_t)sizeof(T));                               \
        state += p->memory - 1;                                                                                        \
        for (int32_t first = 0; first < filters; first += TS_SVDF_BLOCK) {                                             \
            const int32_t count = ts_min(TS_SVDF_BLOCK, filters - first);                                              \
            int32_t sums[TS_SVDF_BLOCK];                                                                               \
            DOTS(p->feature_weights + first * p->inputs, input, sums, count, p->inputs);                               \
            for (int32_t i = 0; i < count; i++, state += p->memory) {                                                  \
                const int32_t feature =                                                                                \
                    ts_requantize_by(ts_wrap_add(sums[i], q->feature_bias[first + i]), p->feature_factor);             \
                *state = (T)ts_clamp(ts_wrap_add(feature, p->state_zero_point), MIN, MAX);                             \
            }                                                                                                          \
        }                                                                                                              \
    }                                                                                                                  \
                                                                                                                       \
    static inline void ts_##ISA##_svdf_##SUFFIX(const ts_svdf_##SUFFIX##_by_dots_params *q, const int8_t *input,       \
                                                int8_t *output, T *state)                                              \
    {                                                                                                                  \
        const ts_svdf_##SUFFIX##_params *const p = &q->svdf;                                                           \
        for (int32_t b = 0; b < p->batches; b++, input += p->inputs) {                                                 \
            ts_##ISA##_svdf_features_##SUFFIX(q, input, state);                                                        \
            const T *times = p->time_weights;                                                                          \
            for (int32_t unit = 0; unit < p->units; unit++) {                                                          \
                int32_t sum = p->bias[unit];                                                                           \
                for (int32_t r = 0; r < p->rank; r++, state += p->memory, times += p->memory) {                        \
                    sum = ts_wrap_add(sum, TIMES(p, times, state));                                                    \
                }                                                                                                      \
                sum = ts_requantize_by(sum, p->output_factor);                                                         \
                *output++ = (int8_t)ts_clamp(ts_wrap_add(sum, p->output_offset), INT8_MIN, INT8_MAX);                  \
            }                                                                                                          \
        }                                                                                                              \
    }

#endif
