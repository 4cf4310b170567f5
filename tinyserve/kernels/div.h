/* SPDX-License-Identifier: Apache-2.0 */
/* DIV, FLOOR_DIV and FLOOR_MOD with broadcasting. */
#ifndef TS_DIV_H
#define TS_DIV_H

#include <stdint.h>

#include "common/broadcast.h"
#include "common/fixed_point.h"
#include "common/math.h"
#include "common/params.h"
#include "common/reciprocal.h"

/* Offsets are negated zero points. */
typedef struct {
    ts_broadcast broadcast;
    ts_activation activation;
    int32_t offset1, offset2, output_offset;
    ts_factor factor;
} ts_div_s8_params;

/* Zeros above the highest bit of 0 <= value < 2^31, the sign's own not counted. */
static inline int32_t ts_div_headroom(int32_t value)
{
    int32_t bits = 0;
    while (bits < 31 && value < ((int32_t)1 << (30 - bits))) {
        bits++;
    }
    return bits;
}

/* int8, equal to TFLM's DivElementwise: the dividend times the divisor's reciprocal, both with all their bits. A
   divisor of 0, which TFLM leaves undefined, counts as 1. */
static inline int8_t ts_div_element_s8(const ts_div_s8_params *p, int32_t a, int32_t b)
{
    const int32_t sign = b + p->offset2 < 0 ? -1 : 1;
    const int32_t dividend = (a + p->offset1) * sign;
    const int32_t divisor = ts_max((b + p->offset2) * sign, 1);
    const int32_t room = ts_div_headroom(divisor);
    const int32_t reciprocal = ts_one_over_one_plus_x((int32_t)(((uint32_t)divisor << (room + 1)) - 0x80000000u));
    const int32_t headroom = ts_div_headroom(dividend < 0 ? -dividend - 1 : dividend);
    const int32_t quotient = ts_multiply_high(ts_wrap_shift_left(dividend, headroom), reciprocal);
    const int32_t right = 30 - room + headroom - p->factor.shift;
    const int32_t scaled = ts_divide_by_power_of_two(ts_multiply_high(quotient, p->factor.multiplier), right);
    return (int8_t)ts_activate(p->activation, ts_wrap_add(scaled, p->output_offset));
}

static inline void ts_div_s8(const ts_div_s8_params *p, const int8_t *input1, const int8_t *input2, int8_t *output)
{
    TS_BROADCAST_FOR_EACH(int8_t, int8_t, ts_div_element_s8)
}

typedef struct {
    ts_broadcast broadcast;
    ts_activation activation;
} ts_div_s32_params;

/* Rounded towards 0. What C leaves undefined: a divisor of 0 counts as 1, and -2^31 / -1 wraps around. */
static inline int32_t ts_div_element_s32(const ts_div_s32_params *p, int32_t a, int32_t b)
{
    const int32_t quotient = b == -1 ? (int32_t)(0u - (uint32_t)a) : a / (b == 0 ? 1 : b);
    return ts_activate(p->activation, quotient);
}

/* int32 without quantization. */
static inline void ts_div_s32(const ts_div_s32_params *p, const int32_t *input1, const int32_t *input2, int32_t *output)
{
    TS_BROADCAST_FOR_EACH(int32_t, int32_t, ts_div_element_s32)
}

typedef struct {
    ts_broadcast broadcast;
    ts_activation_f32 activation;
} ts_div_f32_params;

static inline float ts_div_element_f32(const ts_div_f32_params *p, float a, float b)
{
    const float quotient = a / b;
    return ts_activate_f32(p->activation, quotient);
}

static inline float ts_floor_div_element_f32(const ts_div_f32_params *p, float a, float b)
{
    (void)p;
    return ts_floorf(a / b);
}

static inline float ts_floor_mod_element_f32(const ts_div_f32_params *p, float a, float b)
{
    (void)p;
    const float rest = ts_remainderf(a, b);
    return rest != 0.0f && (rest < 0.0f) != (b < 0.0f) ? rest + b : rest;
}

static inline void ts_div_f32(const ts_div_f32_params *p, const float *input1, const float *input2, float *output)
{
    TS_BROADCAST_FOR_EACH(float, float, ts_div_element_f32)
}

static inline void ts_floor_div_f32(const ts_div_f32_params *p, const float *input1, const float *input2, float *output)
{
    TS_BROADCAST_FOR_EACH(float, float, ts_floor_div_element_f32)
}

static inline int32_t ts_floor_div_element_s32(const ts_div_s32_params *p, int32_t a, int32_t b)
{
    (void)p;
    if (b == 0 || (b == -1 && a == INT32_MIN)) {
        return b == 0 ? 0 : INT32_MIN;
    }
    const int32_t quotient = a / b;
    return a % b != 0 && (a < 0) != (b < 0) ? quotient - 1 : quotient;
}

static inline int32_t ts_floor_mod_element_s32(const ts_div_s32_params *p, int32_t a, int32_t b)
{
    (void)p;
    if (b == 0 || b == -1) {
        return 0;
    }
    const int32_t rest = a % b;
    return rest != 0 && (rest < 0) != (b < 0) ? rest + b : rest;
}

static inline void ts_floor_div_s32(const ts_div_s32_params *p, const int32_t *input1, const int32_t *input2,
                                    int32_t *output)
{
    TS_BROADCAST_FOR_EACH(int32_t, int32_t, ts_floor_div_element_s32)
}

static inline void ts_floor_mod_s32(const ts_div_s32_params *p, const int32_t *input1, const int32_t *input2,
                                    int32_t *output)
{
    TS_BROADCAST_FOR_EACH(int32_t, int32_t, ts_floor_mod_element_s32)
}

static inline void ts_floor_mod_f32(const ts_div_f32_params *p, const float *input1, const float *input2, float *output)
{
    TS_BROADCAST_FOR_EACH(float, float, ts_floor_mod_element_f32)
}

#endif
