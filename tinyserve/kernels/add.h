/* SPDX-License-Identifier: Apache-2.0 */
/* ADD and SUB with broadcasting: output = activation(input1 + input2), with `subtract` input1 - input2. */
#ifndef TS_ADD_H
#define TS_ADD_H

#include <stdbool.h>
#include <stdint.h>

#include "common/broadcast.h"
#include "common/fixed_point.h"
#include "common/params.h"
#include "common/sum_scaling.h"

/* Offsets are negated zero points. Both inputs are scaled to a common fixed-point scale, added, and scaled back. */
typedef struct {
    ts_broadcast broadcast;
    ts_activation activation;
    ts_sum_scaling scaling;
    bool subtract;
} ts_add_quantized_params;

static inline int32_t ts_add_element(const ts_add_quantized_params *p, int32_t a, int32_t b)
{
    const int32_t scaled1 =
        ts_requantize_by(ts_wrap_shift_left(a + p->scaling.offset1, p->scaling.left_shift), p->scaling.factor1);
    const int32_t scaled2 =
        ts_requantize_by(ts_wrap_shift_left(b + p->scaling.offset2, p->scaling.left_shift), p->scaling.factor2);
    const int32_t sum = ts_wrap_add(scaled1, p->subtract ? -scaled2 : scaled2);
    const int32_t result = ts_wrap_add(ts_requantize_by(sum, p->scaling.output_factor), p->scaling.output_offset);
    return ts_activate(p->activation, result);
}

#define TS_ADD_S8(p, a, b) (int8_t) ts_add_element(p, a, b)
#define TS_ADD_S16(p, a, b) (int16_t) ts_add_element(p, a, b)

/* int8, equal to TFLM's reference_integer_ops::Add and reference_ops::SubWithActivation with broadcasting. */
static inline void ts_add_s8(const ts_add_quantized_params *p, const int8_t *input1, const int8_t *input2,
                             int8_t *output)
{
    TS_BROADCAST_FOR_EACH(int8_t, int8_t, TS_ADD_S8)
}

/* int16, equal to TFLM's reference_ops::Add and Sub. */
static inline void ts_add_s16(const ts_add_quantized_params *p, const int16_t *input1, const int16_t *input2,
                              int16_t *output)
{
    TS_BROADCAST_FOR_EACH(int16_t, int16_t, TS_ADD_S16)
}

typedef struct {
    ts_broadcast broadcast;
    ts_activation activation;
    bool subtract;
} ts_add_s32_params;

static inline int32_t ts_add_element_s32(const ts_add_s32_params *p, int32_t a, int32_t b)
{
    const uint32_t sum = p->subtract ? (uint32_t)a - (uint32_t)b : (uint32_t)a + (uint32_t)b;
    return ts_activate(p->activation, (int32_t)sum);
}

/* int32 without quantization. */
static inline void ts_add_s32(const ts_add_s32_params *p, const int32_t *input1, const int32_t *input2, int32_t *output)
{
    TS_BROADCAST_FOR_EACH(int32_t, int32_t, ts_add_element_s32)
}

typedef struct {
    ts_broadcast broadcast;
    ts_activation_f32 activation;
    bool subtract;
} ts_add_f32_params;

static inline float ts_add_element_f32(const ts_add_f32_params *p, float a, float b)
{
    const float sum = p->subtract ? a - b : a + b;
    return ts_activate_f32(p->activation, sum);
}

static inline void ts_add_f32(const ts_add_f32_params *p, const float *input1, const float *input2, float *output)
{
    TS_BROADCAST_FOR_EACH(float, float, ts_add_element_f32)
}

#undef TS_ADD_S8
#undef TS_ADD_S16

#endif
