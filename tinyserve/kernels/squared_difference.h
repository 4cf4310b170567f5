/* SPDX-License-Identifier: Apache-2.0 */
/* SQUARED_DIFFERENCE with broadcasting: (input1 - input2)^2. */
#ifndef TS_SQUARED_DIFFERENCE_H
#define TS_SQUARED_DIFFERENCE_H

#include <stdint.h>

#include "common/broadcast.h"
#include "common/fixed_point.h"
#include "common/params.h"

/* Offsets are negated zero points. Both inputs are scaled to a common scale before the difference. */
typedef struct {
    TS_BROADCAST_FIELDS
    ts_activation activation;
    int32_t offset1, offset2, output_offset, left_shift;
    int32_t multiplier1, shift1, multiplier2, shift2, output_multiplier, output_shift;
} ts_squared_difference_quantized_params;

static inline int32_t ts_squared_difference_element(const ts_squared_difference_quantized_params *p, int32_t a,
                                                    int32_t b)
{
    const int32_t scaled1 = ts_requantize(ts_wrap_shift_left(a + p->offset1, p->left_shift), p->multiplier1, p->shift1);
    const int32_t scaled2 = ts_requantize(ts_wrap_shift_left(b + p->offset2, p->left_shift), p->multiplier2, p->shift2);
    const uint32_t difference = (uint32_t)(scaled1 - scaled2);
    const int32_t square = (int32_t)(difference * difference);
    const int32_t result = ts_wrap_add(ts_requantize(square, p->output_multiplier, p->output_shift), p->output_offset);
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
    TS_BROADCAST_FIELDS
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
