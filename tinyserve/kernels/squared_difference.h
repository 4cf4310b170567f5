/* SPDX-License-Identifier: Apache-2.0 */
/* SQUARED_DIFFERENCE with broadcasting: (input1 - input2)^2. */
#ifndef TS_SQUARED_DIFFERENCE_H
#define TS_SQUARED_DIFFERENCE_H

#include <stdint.h>

#include "common/broadcast.h"
#include "common/fixed_point.h"
#include "common/params.h"
#include "common/sum_scaling.h"

/* Offsets are negated zero points. Both inputs are scaled to a common scale before the difference. */
typedef struct {
    ts_broadcast broadcast;
    ts_activation activation;
    ts_sum_scaling scaling;
} ts_squared_difference_quantized_params;

static inline int32_t ts_squared_difference_element(const ts_squared_difference_quantized_params *p, int32_t a,
                                                    int32_t b)
{
    const int32_t scaled1 =
        ts_requantize_by(ts_wrap_shift_left(a + p->scaling.offset1, p->scaling.left_shift), p->scaling.factor1);
    const int32_t scaled2 =
        ts_requantize_by(ts_wrap_shift_left(b + p->scaling.offset2, p->scaling.left_shift), p->scaling.factor2);
    const uint32_t difference = (uint32_t)(scaled1 - scaled2);
    const int32_t square = (int32_t)(difference * difference);
    const int32_t result = ts_wrap_add(ts_requantize_by(square, p->scaling.output_factor), p->scaling.output_offset);
    return ts_activate(p->activation, result);
}

#define TS_SQUARED_DIFFERENCE_S8(p, a, b) (int8_t) ts_squared_difference_element(p, a, b)
#define TS_SQUARED_DIFFERENCE_S16(p, a, b) (int16_t) ts_squared_difference_element(p, a, b)
#define TS_SQUARED_DIFFERENCE_S32(p, a, b) (int32_t)(((uint32_t)(a) - (uint32_t)(b)) * ((uint32_t)(a) - (uint32_t)(b)))
#define TS_SQUARED_DIFFERENCE_F32(p, a, b) (((a) - (b)) * ((a) - (b)))

/* int8, equal to TFLM's SquaredDifference. */
static inline void ts_squared_difference_s8(const ts_squared_difference_quantized_params *p, const int8_t *input1,
                                            const int8_t *input2, int8_t *output)
{
    TS_BROADCAST_FOR_EACH(int8_t, int8_t, TS_SQUARED_DIFFERENCE_S8)
}

/* int16, likewise. */
static inline void ts_squared_difference_s16(const ts_squared_difference_quantized_params *p, const int16_t *input1,
                                             const int16_t *input2, int16_t *output)
{
    TS_BROADCAST_FOR_EACH(int16_t, int16_t, TS_SQUARED_DIFFERENCE_S16)
}

typedef struct {
    ts_broadcast broadcast;
} ts_squared_difference_params;

static inline void ts_squared_difference_s32(const ts_squared_difference_params *p, const int32_t *input1,
                                             const int32_t *input2, int32_t *output)
{
    TS_BROADCAST_FOR_EACH(int32_t, int32_t, TS_SQUARED_DIFFERENCE_S32)
}

static inline void ts_squared_difference_f32(const ts_squared_difference_params *p, const float *input1,
                                             const float *input2, float *output)
{
    TS_BROADCAST_FOR_EACH(float, float, TS_SQUARED_DIFFERENCE_F32)
}

#undef TS_SQUARED_DIFFERENCE_S8
#undef TS_SQUARED_DIFFERENCE_S16
#undef TS_SQUARED_DIFFERENCE_S32
#undef TS_SQUARED_DIFFERENCE_F32

#endif
