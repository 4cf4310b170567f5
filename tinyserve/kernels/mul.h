/* SPDX-License-Identifier: Apache-2.0 */
/* MUL with broadcasting: output = activation(input1 * input2). */
#ifndef TS_MUL_H
#define TS_MUL_H

#include <stdint.h>

#include "common/broadcast.h"
#include "common/fixed_point.h"
#include "common/params.h"

/* Offsets are negated zero points. */
typedef struct {
    ts_broadcast broadcast;
    ts_activation activation;
    int32_t offset1, offset2, output_offset;
    ts_factor factor;
} ts_mul_quantized_params;

static inline int32_t ts_mul_element(const ts_mul_quantized_params *p, int32_t a, int32_t b)
{
    const int32_t product = (a + p->offset1) * (b + p->offset2);
    const int32_t result = ts_wrap_add(ts_requantize_by(product, p->factor), p->output_offset);
    return ts_activate(p->activation, result);
}

#define TS_MUL_S8(p, a, b) (int8_t) ts_mul_element(p, a, b)
#define TS_MUL_S16(p, a, b) (int16_t) ts_mul_element(p, a, b)

/* int8, equal to TFLM's reference_integer_ops::Mul and BroadcastMul. */
static inline void ts_mul_s8(const ts_mul_quantized_params *p, const int8_t *input1, const int8_t *input2,
                             int8_t *output)
{
    TS_BROADCAST_FOR_EACH(int8_t, int8_t, TS_MUL_S8)
}

/* int16, likewise. */
static inline void ts_mul_s16(const ts_mul_quantized_params *p, const int16_t *input1, const int16_t *input2,
                              int16_t *output)
{
    TS_BROADCAST_FOR_EACH(int16_t, int16_t, TS_MUL_S16)
}

typedef struct {
    ts_broadcast broadcast;
    ts_activation activation;
} ts_mul_s32_params;

static inline int32_t ts_mul_element_s32(const ts_mul_s32_params *p, int32_t a, int32_t b)
{
    return ts_activate(p->activation, (int32_t)((uint32_t)a * (uint32_t)b));
}

/* int32 without quantization. */
static inline void ts_mul_s32(const ts_mul_s32_params *p, const int32_t *input1, const int32_t *input2, int32_t *output)
{
    TS_BROADCAST_FOR_EACH(int32_t, int32_t, ts_mul_element_s32)
}

typedef struct {
    ts_broadcast broadcast;
    ts_activation_f32 activation;
} ts_mul_f32_params;

static inline float ts_mul_element_f32(const ts_mul_f32_params *p, float a, float b)
{
    const float product = a * b;
    return ts_activate_f32(p->activation, product);
}

static inline void ts_mul_f32(const ts_mul_f32_params *p, const float *input1, const float *input2, float *output)
{
    TS_BROADCAST_FOR_EACH(float, float, ts_mul_element_f32)
}

#undef TS_MUL_S8
#undef TS_MUL_S16

#endif
