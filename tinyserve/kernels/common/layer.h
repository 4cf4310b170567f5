/* SPDX-License-Identifier: Apache-2.0 */
/* What layers with weights have, whatever they sum: weights, bias, and how a sum becomes an output. */
#ifndef TS_COMMON_LAYER_H
#define TS_COMMON_LAYER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "fixed_point.h"
#include "params.h"

/* int8 activations and weights. weights and bias are NULL where they are arguments of the call; there may be no bias.
 */
typedef struct {
    int32_t input_offset;  /* minus the input's zero point */
    int32_t output_offset; /* the output's zero point */
    ts_activation activation;
    const int8_t *weights;
    const int32_t *bias;
    ts_requantization requantization;
} ts_layer_s8;

static inline int8_t ts_layer_output_s8(const ts_layer_s8 *layer, int32_t channel, int32_t sum)
{
    if (layer->bias != NULL) {
        sum = ts_wrap_add(sum, layer->bias[channel]);
    }
    const ts_factor factor = ts_factor_of(layer->requantization, channel);
    sum = ts_wrap_add(ts_requantize(sum, factor.multiplier, factor.shift), layer->output_offset);
    return (int8_t)ts_activate(layer->activation, sum);
}

/* int16 activations, which are symmetric, and int8 weights. */
typedef struct {
    ts_activation activation;
    const int8_t *weights;
    const void *bias; /* int64_t, or int32_t of narrow sums */
    ts_requantization requantization;
} ts_layer_s16;

/* With an int64_t bias or none TFLM keeps 64 bits and rounds once; with an int32_t bias (`narrow`) it keeps 32 bits,
 * which wrap, and rounds twice. */
static inline int16_t ts_layer_output_s16(const ts_layer_s16 *layer, bool narrow, int32_t channel, int64_t sum)
{
    const ts_factor factor = ts_factor_of(layer->requantization, channel);
    int32_t scaled;
    if (narrow) {
        const int32_t biased = ts_wrap_add((int32_t)sum, ((const int32_t *)layer->bias)[channel]);
        scaled = ts_requantize(biased, factor.multiplier, factor.shift);
    } else {
        if (layer->bias != NULL) {
            sum = ts_wrap_add_s64(sum, ((const int64_t *)layer->bias)[channel]);
        }
        scaled = ts_requantize_s64(sum, factor.multiplier, factor.shift);
    }
    return (int16_t)ts_activate(layer->activation, scaled);
}

typedef struct {
    ts_activation_f32 activation;
    const float *weights;
    const float *bias;
} ts_layer_f32;

static inline float ts_layer_output_f32(const ts_layer_f32 *layer, int32_t channel, float sum)
{
    if (layer->bias != NULL) {
        sum += layer->bias[channel];
    }
    return ts_activate_f32(layer->activation, sum);
}

/* KERNEL_computed is KERNEL with weights (of type W) and bias (of type B, or NULL) from the arena: those of its
 * parameters are NULL. */
#define TS_COMPUTED_OPERANDS(KERNEL, T, W, B)                                                                          \
    static inline void KERNEL##_computed(const KERNEL##_params *p, const T *input, const W *weights, const B *bias,    \
                                         T *output)                                                                    \
    {                                                                                                                  \
        KERNEL##_params with = *p;                                                                                     \
        with.layer.weights = weights;                                                                                  \
        with.layer.bias = bias;                                                                                        \
        KERNEL(&with, input, output);                                                                                  \
    }

#endif
