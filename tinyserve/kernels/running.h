/* SPDX-License-Identifier: Apache-2.0 */
/* Reductions over rows that come one after the other: MEAN, SUM, REDUCE_MAX, REDUCE_MIN and pools of a whole image. A
 * step takes rows in; behind the last, what was kept becomes the output. The values are taken in the order in which
 * reduce.h and pool_2d.h take them, so that floats are the same, too. */
#ifndef TS_RUNNING_H
#define TS_RUNNING_H

#include <stdint.h>

#include "common/fixed_point.h"
#include "common/math.h"
#include "common/params.h"
#include "pool_2d.h"
#include "reduce.h"

/* shape: of these rows. begins: they are the first, nothing is kept yet. */
typedef struct {
    ts_reduce_shape shape;
    int32_t begins;
} ts_running_params;

#define TS_RUNNING_SELF(p, value) (value)
#define TS_RUNNING_ADD_S16(a, b) ((int16_t)((a) + (b)))
#define TS_RUNNING_ADD_F32(a, b) ((a) + (b))
#define TS_RUNNING_MAX(a, b) ((b) > (a) ? (b) : (a))
#define TS_RUNNING_MIN(a, b) ((b) < (a) ? (b) : (a))

/* kept = STEP(kept, value), from FIRST on; `output` is what is kept. */
#define TS_RUNNING(NAME, T, A, FIRST, STEP)                                                                            \
    static inline void NAME(const ts_running_params *p, const T *input, A *output)                                     \
    {                                                                                                                  \
        TS_REDUCE_FOR_EACH(T, A, p->begins ? (FIRST) : *output, STEP, TS_RUNNING_SELF)                                 \
    }

/* Sums of up to 255 values of int8 have 16 bits. */
TS_RUNNING(ts_running_sum_s8_s16, int8_t, int16_t, 0, TS_RUNNING_ADD_S16)
TS_RUNNING(ts_running_sum_s8_s32, int8_t, int32_t, 0, ts_wrap_add)
TS_RUNNING(ts_running_sum_s16_s32, int16_t, int32_t, 0, ts_wrap_add)
TS_RUNNING(ts_running_sum_f32_f32, float, float, 0.0f, TS_RUNNING_ADD_F32)
TS_RUNNING(ts_running_max_s8_s8, int8_t, int8_t, *base, TS_RUNNING_MAX)
TS_RUNNING(ts_running_max_s16_s16, int16_t, int16_t, *base, TS_RUNNING_MAX)
TS_RUNNING(ts_running_max_f32_f32, float, float, -TS_FLOAT_MAX, TS_RUNNING_MAX)
TS_RUNNING(ts_running_min_s8_s8, int8_t, int8_t, *base, TS_RUNNING_MIN)
TS_RUNNING(ts_running_min_s16_s16, int16_t, int16_t, *base, TS_RUNNING_MIN)

/* OUTPUT(p, kept) of each value that was kept. */
#define TS_RUNNING_FINISH(NAME, PARAMS, A, T, OUTPUT)                                                                  \
    static inline void NAME(const PARAMS *p, const A *kept, T *output)                                                 \
    {                                                                                                                  \
        for (int32_t i = 0; i < p->outputs; i++) {                                                                     \
            output[i] = (T)OUTPUT(p, kept[i]);                                                                         \
        }                                                                                                              \
    }

/* As in reduce.h. */
typedef struct {
    int32_t outputs, sum_offset, output_offset;
    ts_factor factor;
} ts_running_scale_params;

static inline int32_t ts_running_scale(const ts_running_scale_params *p, int32_t sum)
{
    return ts_wrap_add(ts_requantize_by(ts_wrap_add(sum, p->sum_offset), p->factor), p->output_offset);
}

#define TS_RUNNING_SCALE_S8(p, sum) ts_clamp(ts_running_scale(p, sum), INT8_MIN, INT8_MAX)
#define TS_RUNNING_SCALE_S16(p, sum) ts_clamp(ts_running_scale(p, sum), INT16_MIN, INT16_MAX)

TS_RUNNING_FINISH(ts_running_scale_s16_s8, ts_running_scale_params, int16_t, int8_t, TS_RUNNING_SCALE_S8)
TS_RUNNING_FINISH(ts_running_scale_s32_s8, ts_running_scale_params, int32_t, int8_t, TS_RUNNING_SCALE_S8)
TS_RUNNING_FINISH(ts_running_scale_s32_s16, ts_running_scale_params, int32_t, int16_t, TS_RUNNING_SCALE_S16)

/* As in pool_2d.h. count: values of each sum. */
typedef struct {
    int32_t outputs, count;
    ts_activation activation;
} ts_running_mean_params;

#define TS_RUNNING_MEAN(p, sum) ts_activate((p)->activation, ts_pool_2d_mean(sum, (p)->count))

TS_RUNNING_FINISH(ts_running_mean_s16_s8, ts_running_mean_params, int16_t, int8_t, TS_RUNNING_MEAN)
TS_RUNNING_FINISH(ts_running_mean_s32_s8, ts_running_mean_params, int32_t, int8_t, TS_RUNNING_MEAN)
TS_RUNNING_FINISH(ts_running_mean_s32_s16, ts_running_mean_params, int32_t, int16_t, TS_RUNNING_MEAN)

typedef struct {
    int32_t outputs;
    float divisor;
    ts_activation_f32 activation;
} ts_running_mean_f32_params;

#define TS_RUNNING_MEAN_F32(p, sum) ts_activate_f32((p)->activation, (sum) / (p)->divisor)

TS_RUNNING_FINISH(ts_running_mean_f32_f32, ts_running_mean_f32_params, float, float, TS_RUNNING_MEAN_F32)

typedef struct {
    int32_t outputs;
    float divisor;
} ts_running_divide_f32_params;

#define TS_RUNNING_DIVIDE(p, sum) ((sum) / (p)->divisor)

TS_RUNNING_FINISH(ts_running_divide_f32_f32, ts_running_divide_f32_params, float, float, TS_RUNNING_DIVIDE)

typedef struct {
    int32_t outputs;
    ts_activation activation;
} ts_running_clamp_params;

typedef struct {
    int32_t outputs;
    ts_activation_f32 activation;
} ts_running_clamp_f32_params;

#define TS_RUNNING_CLAMP(p, value) ts_activate((p)->activation, value)
#define TS_RUNNING_CLAMP_F32(p, value) ts_activate_f32((p)->activation, value)

TS_RUNNING_FINISH(ts_running_clamp_s8_s8, ts_running_clamp_params, int8_t, int8_t, TS_RUNNING_CLAMP)
TS_RUNNING_FINISH(ts_running_clamp_s16_s16, ts_running_clamp_params, int16_t, int16_t, TS_RUNNING_CLAMP)
TS_RUNNING_FINISH(ts_running_clamp_f32_f32, ts_running_clamp_f32_params, float, float, TS_RUNNING_CLAMP_F32)

#undef TS_RUNNING
#undef TS_RUNNING_FINISH
#undef TS_RUNNING_SELF
#undef TS_RUNNING_ADD_S16
#undef TS_RUNNING_ADD_F32
#undef TS_RUNNING_MAX
#undef TS_RUNNING_MIN
#undef TS_RUNNING_SCALE_S8
#undef TS_RUNNING_SCALE_S16
#undef TS_RUNNING_MEAN
#undef TS_RUNNING_MEAN_F32
#undef TS_RUNNING_DIVIDE
#undef TS_RUNNING_CLAMP
#undef TS_RUNNING_CLAMP_F32

#endif
