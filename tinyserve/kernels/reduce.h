/* SPDX-License-Identifier: Apache-2.0 */
/* MEAN, SUM, REDUCE_MAX and REDUCE_MIN over any axes. */
#ifndef TS_REDUCE_H
#define TS_REDUCE_H

#include <stdint.h>

#include "common/axis.h"
#include "common/compiler.h"
#include "common/fixed_point.h"

/* The input as kept dimensions (each of their points gives an output) and reduced ones, up to three of both after
 * merging, with strides in elements. */
typedef struct {
    int32_t kept[3], kept_strides[3];
    int32_t reduced[3], reduced_strides[3];
} ts_reduce_shape;

/* STEP(accumulator, value) for each reduced value, in the input's order; then *output++ = FINISH(p, accumulator). */
#define TS_REDUCE_FOR_EACH(T, A, FIRST, STEP, FINISH)                                                                  \
    for (int32_t k0 = 0; k0 < p->shape.kept[0]; k0++) {                                                                \
        for (int32_t k1 = 0; k1 < p->shape.kept[1]; k1++) {                                                            \
            for (int32_t k2 = 0; k2 < p->shape.kept[2]; k2++) {                                                        \
                const T *base = input + k0 * p->shape.kept_strides[0] + k1 * p->shape.kept_strides[1] +                \
                                k2 * p->shape.kept_strides[2];                                                         \
                A accumulator = FIRST;                                                                                 \
                for (int32_t r0 = 0; r0 < p->shape.reduced[0]; r0++) {                                                 \
                    for (int32_t r1 = 0; r1 < p->shape.reduced[1]; r1++) {                                             \
                        const T *value = base + r0 * p->shape.reduced_strides[0] + r1 * p->shape.reduced_strides[1];   \
                        for (int32_t r2 = 0; r2 < p->shape.reduced[2]; r2++, value += p->shape.reduced_strides[2]) {   \
                            accumulator = STEP(accumulator, *value);                                                   \
                        }                                                                                              \
                    }                                                                                                  \
                }                                                                                                      \
                *output++ = FINISH(p, accumulator);                                                                    \
            }                                                                                                          \
        }                                                                                                              \
    }

/* sum_offset is the negated zero point times the number of values; a mean's multiplier divides by that number. */
typedef struct {
    ts_reduce_shape shape;
    int32_t sum_offset, output_offset;
    ts_factor factor;
} ts_reduce_sum_params;

static inline int32_t ts_reduce_finish_sum(const ts_reduce_sum_params *p, int32_t sum, int32_t low, int32_t high)
{
    const int32_t scaled = ts_requantize_by(ts_wrap_add(sum, p->sum_offset), p->factor);
    return ts_clamp(ts_wrap_add(scaled, p->output_offset), low, high);
}

#define TS_REDUCE_SUM_S8(p, sum) (int8_t) ts_reduce_finish_sum(p, sum, INT8_MIN, INT8_MAX)
#define TS_REDUCE_SUM_S16(p, sum) (int16_t) ts_reduce_finish_sum(p, sum, INT16_MIN, INT16_MAX)

/* int8, equal to TFLM's reference_ops::QuantizedMeanOrSum. */
static inline void ts_reduce_sum_s8(const ts_reduce_sum_params *p, const int8_t *input, int8_t *output)
{
    TS_REDUCE_FOR_EACH(int8_t, int32_t, 0, ts_wrap_add, TS_REDUCE_SUM_S8)
}

/* int16, likewise. */
static inline void ts_reduce_sum_s16(const ts_reduce_sum_params *p, const int16_t *input, int16_t *output)
{
    TS_REDUCE_FOR_EACH(int16_t, int32_t, 0, ts_wrap_add, TS_REDUCE_SUM_S16)
}

/* divisor is the number of values for MEAN, 1 for SUM. */
typedef struct {
    ts_reduce_shape shape;
    float divisor;
} ts_reduce_sum_f32_params;

#define TS_REDUCE_ADD(a, b) ((a) + (b))
#define TS_REDUCE_DIVIDE(p, sum) ((sum) / (p)->divisor)

/* float32, the sums in the order of TFLM's reference_ops::Mean and ReduceSum. */
static inline void ts_reduce_sum_f32(const ts_reduce_sum_f32_params *p, const float *input, float *output)
{
    TS_REDUCE_FOR_EACH(float, float, 0.0f, TS_REDUCE_ADD, TS_REDUCE_DIVIDE)
}

typedef struct {
    ts_reduce_shape shape;
} ts_reduce_params;

#define TS_REDUCE_SELF(p, value) (value)
#define TS_REDUCE_MAX(a, b) ((b) > (a) ? (b) : (a))
#define TS_REDUCE_MIN(a, b) ((b) < (a) ? (b) : (a))

/* Equal to TFLM's reference_ops::ReduceGeneric with a maximum or minimum (int16: LiteRT's); scales do not change.
 * From the least float on, values that are not numbers are passed over. */
#define TS_REDUCE_EXTREMUM(NAME, T, FIRST, COMBINE)                                                                    \
    static inline void NAME(const ts_reduce_params *p, const T *input, T *output)                                      \
    {                                                                                                                  \
        TS_REDUCE_FOR_EACH(T, T, FIRST, COMBINE, TS_REDUCE_SELF)                                                       \
    }

TS_REDUCE_EXTREMUM(ts_reduce_max_s8, int8_t, *base, TS_REDUCE_MAX)
TS_REDUCE_EXTREMUM(ts_reduce_min_s8, int8_t, *base, TS_REDUCE_MIN)
TS_REDUCE_EXTREMUM(ts_reduce_max_s16, int16_t, *base, TS_REDUCE_MAX)
TS_REDUCE_EXTREMUM(ts_reduce_min_s16, int16_t, *base, TS_REDUCE_MIN)
TS_REDUCE_EXTREMUM(ts_reduce_max_f32, float, -TS_FLOAT_MAX, TS_REDUCE_MAX)
TS_REDUCE_EXTREMUM(ts_reduce_min_f32, float, TS_FLOAT_MAX, TS_REDUCE_MIN)

#undef TS_REDUCE_EXTREMUM

/* REDUCE_ALL and REDUCE_ANY: bool as bytes of 0 and 1. */
static inline void ts_reduce_all_b8(const ts_reduce_params *p, const uint8_t *input, uint8_t *output)
{
    TS_REDUCE_FOR_EACH(uint8_t, uint8_t, 1, TS_REDUCE_MIN, TS_REDUCE_SELF)
}

static inline void ts_reduce_any_b8(const ts_reduce_params *p, const uint8_t *input, uint8_t *output)
{
    TS_REDUCE_FOR_EACH(uint8_t, uint8_t, 0, TS_REDUCE_MAX, TS_REDUCE_SELF)
}

/* Axes that are computed at run time. outputs is their number as compiled. */
typedef struct {
    int32_t rank, axes, outputs;
    int32_t shape[TS_AXIS_RANK];
} ts_reduce_axes;

/* Merges the input's dimensions into three kept and three reduced ones, from the last to the first. Returns whether
 * the axes are the input's and make the compiled number of outputs. */
static inline int ts_reduce_resolve(const ts_reduce_axes *p, const int32_t *axes, int32_t extents[2][3],
                                    int32_t strides[2][3])
{
    const uint32_t set = ts_axis_set(axes, p->axes, p->rank);
    int32_t next[2] = {3, 3}, before = -1, stride = 1, outputs = 1;
    for (int32_t d = p->rank - 1; d >= 0; d--) {
        const int32_t reduced = (set >> d) & 1;
        outputs *= reduced ? 1 : p->shape[d];
        if (p->shape[d] > 1 && reduced == before) {
            extents[reduced][next[reduced]] *= p->shape[d];
        } else if (p->shape[d] > 1) {
            next[reduced]--;
            extents[reduced][next[reduced]] = p->shape[d];
            strides[reduced][next[reduced]] = stride;
            before = reduced;
        }
        stride *= p->shape[d];
    }
    return set != 0 && outputs == p->outputs;
}

/* FUNCTION##_at is FUNCTION with computed axes; outputs are all 0 where the axes do not fit. */
#define TS_REDUCE_AT(FUNCTION, PARAMS, T)                                                                              \
    static inline void FUNCTION##_at(const PARAMS##_at_params *p, const T *input, const int32_t *axes, T *output)      \
    {                                                                                                                  \
        int32_t extents[2][3] = {{1, 1, 1}, {1, 1, 1}}, strides[2][3] = {{0}};                                         \
        const int fits = ts_reduce_resolve(&p->axes, axes, extents, strides);                                          \
        PARAMS##_params params = p->reduction;                                                                         \
        for (int32_t d = 0; d < 3; d++) {                                                                              \
            params.shape.kept[d] = extents[0][d];                                                                      \
            params.shape.kept_strides[d] = strides[0][d];                                                              \
            params.shape.reduced[d] = extents[1][d];                                                                   \
            params.shape.reduced_strides[d] = strides[1][d];                                                           \
        }                                                                                                              \
        if (fits) {                                                                                                    \
            FUNCTION(&params, input, output);                                                                          \
            return;                                                                                                    \
        }                                                                                                              \
        for (int32_t i = 0; i < p->axes.outputs; i++) {                                                                \
            output[i] = 0;                                                                                             \
        }                                                                                                              \
    }

typedef struct {
    ts_reduce_sum_params reduction;
    ts_reduce_axes axes;
} ts_reduce_sum_at_params;

typedef struct {
    ts_reduce_sum_f32_params reduction;
    ts_reduce_axes axes;
} ts_reduce_sum_f32_at_params;

typedef struct {
    ts_reduce_params reduction;
    ts_reduce_axes axes;
} ts_reduce_at_params;

TS_REDUCE_AT(ts_reduce_sum_s8, ts_reduce_sum, int8_t)
TS_REDUCE_AT(ts_reduce_sum_s16, ts_reduce_sum, int16_t)
TS_REDUCE_AT(ts_reduce_sum_f32, ts_reduce_sum_f32, float)
TS_REDUCE_AT(ts_reduce_max_s8, ts_reduce, int8_t)
TS_REDUCE_AT(ts_reduce_min_s8, ts_reduce, int8_t)
TS_REDUCE_AT(ts_reduce_max_s16, ts_reduce, int16_t)
TS_REDUCE_AT(ts_reduce_min_s16, ts_reduce, int16_t)
TS_REDUCE_AT(ts_reduce_max_f32, ts_reduce, float)
TS_REDUCE_AT(ts_reduce_min_f32, ts_reduce, float)
TS_REDUCE_AT(ts_reduce_all_b8, ts_reduce, uint8_t)
TS_REDUCE_AT(ts_reduce_any_b8, ts_reduce, uint8_t)

#undef TS_REDUCE_AT
#undef TS_REDUCE_SUM_S8
#undef TS_REDUCE_SUM_S16
#undef TS_REDUCE_ADD
#undef TS_REDUCE_DIVIDE
#undef TS_REDUCE_SELF
#undef TS_REDUCE_MAX
#undef TS_REDUCE_MIN

#endif
