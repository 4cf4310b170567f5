/* SPDX-License-Identifier: Apache-2.0 */
/* Elementwise operators of one input. */
#ifndef TS_UNARY_H
#define TS_UNARY_H

#include <stdint.h>

#include "common/fixed_point.h"
#include "common/inverse_sqrt.h"
#include "common/math.h"
#include "common/params.h"
#include "common/sigmoid.h"

#if defined(__ARM_FEATURE_MVE)
#include "common/helium.h"
#endif

/* table[b] is the output for the input byte b (int8 values 0 .. 127, -128 .. -1; or uint8). */
typedef struct {
    int32_t elements;
    const uint8_t *table;
} ts_lookup_8_params;

/* Any function of 8-bit values to 8-bit values, signed or not, tabulated at compile time as TFLM would compute it. */
static inline void ts_lookup_8(const ts_lookup_8_params *p, const void *input, void *output)
{
    const uint8_t *from = input;
    uint8_t *to = output;
#if defined(__ARM_FEATURE_MVE)
    int32_t left = p->elements;
    for (; left >= 16; left -= 16, from += 16, to += 16) {
        vstrbq_u8(to, vldrbq_gather_offset_u8(p->table, vldrbq_u8(from)));
    }
    if (left > 0) {
        const mve_pred16_t lanes = vctp8q((uint32_t)left);
        const uint8x16_t last = vldrbq_gather_offset_z_u8(p->table, vldrbq_z_u8(from, lanes), lanes);
        TS_STORE_LANES(vstrbq_p_u8, to, last, lanes);
    }
#else
    for (int32_t i = 0; i < p->elements; i++) {
        to[i] = p->table[from[i]];
    }
#endif
}

/* sigmoid[i] is logistic(i / 24) in Q0.16; inputs are multiplied and shifted to 1/24 of 2^-9 (2^-8 for tanh). */
typedef struct {
    int32_t elements, multiplier, shift;
    const uint16_t *sigmoid;
} ts_sigmoid_s16_params;

static inline int32_t ts_sigmoid_scaled_s16(const ts_sigmoid_s16_params *p, int32_t value)
{
    const int32_t half = p->shift > 0 ? (int32_t)1 << (p->shift - 1) : 0;
    return (value * p->multiplier + half) >> p->shift;
}

/* int16 with output scale 2^-15. */
static inline void ts_logistic_s16(const ts_sigmoid_s16_params *p, const int16_t *input, int16_t *output)
{
    for (int32_t i = 0; i < p->elements; i++) {
        output[i] = ts_logistic_of_scaled_s16(p->sigmoid, ts_sigmoid_scaled_s16(p, input[i]));
    }
}

/* int16 with output scale 2^-15. */
static inline void ts_tanh_s16(const ts_sigmoid_s16_params *p, const int16_t *input, int16_t *output)
{
    for (int32_t i = 0; i < p->elements; i++) {
        output[i] = ts_tanh_of_scaled_s16(p->sigmoid, ts_sigmoid_scaled_s16(p, input[i]));
    }
}

/* output = clamp(multiplier * f(input - input_offset) + output_offset). */
typedef struct {
    int32_t elements;
    int32_t input_offset, output_offset;
    ts_activation activation;
    ts_factor factor;
    ts_factor negative_factor; /* for values below zero: the slope of LEAKY_RELU */
} ts_rescale_s16_params;

/* int16 RELU, RELU_N1_TO_1 and LEAKY_RELU, equal to TFLM's ReluQuantized and QuantizeLeakyRelu. */
static inline void ts_rescale_s16(const ts_rescale_s16_params *p, const int16_t *input, int16_t *output)
{
    for (int32_t i = 0; i < p->elements; i++) {
        const int32_t value = input[i] - p->input_offset;
        const int32_t scaled =
            value >= 0 ? ts_requantize_by(value, p->factor) : ts_requantize_by(value, p->negative_factor);
        const int32_t result = ts_wrap_add(scaled, p->output_offset);
        output[i] = (int16_t)ts_activate(p->activation, result);
    }
}

/* int16 RELU6, as TFLM clamps it without rescaling; also what merely limits values. */
typedef struct {
    int32_t elements;
    ts_activation activation;
} ts_clamp_s16_params;

static inline void ts_clamp_s16(const ts_clamp_s16_params *p, const int16_t *input, int16_t *output)
{
    for (int32_t i = 0; i < p->elements; i++) {
        output[i] = (int16_t)ts_activate(p->activation, input[i]);
    }
}

/* Plain int16 without a scale: -32768 stays what it is, as in TFLM. */
typedef struct {
    int32_t elements;
} ts_abs_s16_params;

static inline void ts_abs_s16(const ts_abs_s16_params *p, const int16_t *input, int16_t *output)
{
    for (int32_t i = 0; i < p->elements; i++) {
        output[i] = (int16_t)(input[i] < 0 ? -input[i] : input[i]);
    }
}

/* The factor from 1 / sqrt(input) to the output. */
typedef struct {
    int32_t elements;
    ts_factor factor;
} ts_rsqrt_s16_params;

/* int16, equal to TFLM's RSQRT, which stops at negative values: here they count as 0, which gives the maximum. */
static inline void ts_rsqrt_s16(const ts_rsqrt_s16_params *p, const int16_t *input, int16_t *output)
{
    const int32_t fraction_bits = 20;
    for (int32_t i = 0; i < p->elements; i++) {
        if (input[i] <= 0) {
            output[i] = INT16_MAX;
            continue;
        }
        const ts_factor root = ts_inverse_sqrt(input[i]);
        const int32_t fixed = ts_requantize(1, root.multiplier, root.shift + fraction_bits);
        const int32_t scaled = ts_requantize(fixed, p->factor.multiplier, p->factor.shift - fraction_bits);
        output[i] = (int16_t)ts_clamp(scaled, INT16_MIN, INT16_MAX);
    }
}

/* erfc(x) for x >= 0, by Numerical Recipes' Chebyshev fit: relative error below 1.2e-7. */
static inline float ts_erfc_of_positive(float x)
{
    const float t = 1.0f / (1.0f + 0.5f * x);
    const float p =
        t * (1.00002368f +
             t * (0.37409196f +
                  t * (0.09678418f +
                       t * (-0.18628806f +
                            t * (0.27886807f +
                                 t * (-1.13520398f + t * (1.48851587f + t * (-0.82215223f + t * 0.17087277f))))))));
    return t * ts_expf(-x * x - 1.26551223f + p);
}

/* x times the normal distribution's share below x. */
static inline float ts_geluf(float x)
{
    const float tail = 0.5f * x * ts_erfc_of_positive((x < 0.0f ? -x : x) * 0.70710678f);
    return x < 0.0f ? tail : x - tail;
}

/* float32. alpha is the slope of LEAKY_RELU. */
typedef struct {
    int32_t elements;
    float alpha;
} ts_unary_f32_params;

#define TS_UNARY_F32(NAME, EXPRESSION)                                                                                 \
    static inline void ts_##NAME##_f32(const ts_unary_f32_params *p, const float *input, float *output)                \
    {                                                                                                                  \
        for (int32_t i = 0; i < p->elements; i++) {                                                                    \
            const float x = input[i];                                                                                  \
            output[i] = EXPRESSION;                                                                                    \
        }                                                                                                              \
    }

TS_UNARY_F32(abs, ts_copy_sign(x, 1.0f))
TS_UNARY_F32(neg, -x)
TS_UNARY_F32(square, x *x)
TS_UNARY_F32(sqrt, ts_sqrtf(x))
TS_UNARY_F32(rsqrt, ts_rsqrtf(x))
TS_UNARY_F32(exp, ts_expf(x))
TS_UNARY_F32(log, ts_logf(x))
TS_UNARY_F32(sin, ts_sinf(x))
TS_UNARY_F32(cos, ts_cosf(x))
TS_UNARY_F32(floor, ts_floorf(x))
TS_UNARY_F32(ceil, ts_ceilf(x))
TS_UNARY_F32(round, ts_round_to_even(x))
TS_UNARY_F32(logistic, ts_logisticf(x))
TS_UNARY_F32(tanh, ts_tanhf(x))
TS_UNARY_F32(relu, x < 0.0f ? 0.0f : x)
TS_UNARY_F32(relu6, x > 6.0f ? 6.0f : (x < 0.0f ? 0.0f : x))
TS_UNARY_F32(relu_n1_to_1, x > 1.0f ? 1.0f : (x < -1.0f ? -1.0f : x))
TS_UNARY_F32(relu_0_to_1, x > 1.0f ? 1.0f : (x < 0.0f ? 0.0f : x))
TS_UNARY_F32(leaky_relu, x > 0.0f ? x : x * p->alpha)
TS_UNARY_F32(elu, x < 0.0f ? ts_expf(x) - 1.0f : x)
TS_UNARY_F32(hard_swish, x *(x + 3.0f < 0.0f ? 0.0f : (x + 3.0f > 6.0f ? 6.0f : x + 3.0f)) / 6.0f)
TS_UNARY_F32(sign, x > 0.0f ? 1.0f : (x < 0.0f ? -1.0f : x))
TS_UNARY_F32(gelu, ts_geluf(x))
TS_UNARY_F32(gelu_tanh, 0.5f * x * (1.0f + ts_tanhf(0.7978845608f * (x + 0.044715f * x * x * x))))

#undef TS_UNARY_F32

#endif
