/* DIV, FLOOR_DIV and FLOOR_MOD with broadcasting, of float32. */
#ifndef TS_DIV_H
#define TS_DIV_H

#include <stdint.h>

#include "common/broadcast.h"
#include "common/math.h"

typedef struct {
    TS_BROADCAST_FIELDS
    float activation_min, activation_max;
} ts_div_f32_params;

static inline float ts_div_element_f32(const ts_div_f32_params *p, float a, float b)
{
    const float quotient = a / b;
    const float low = quotient > p->activation_min ? quotient : p->activation_min;
    return low < p->activation_max ? low : p->activation_max;
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

static inline void ts_floor_mod_f32(const ts_div_f32_params *p, const float *input1, const float *input2, float *output)
{
    TS_BROADCAST_FOR_EACH(float, float, ts_floor_mod_element_f32)
}

#endif
