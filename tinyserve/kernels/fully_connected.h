/* SPDX-License-Identifier: Apache-2.0 */
/* FULLY_CONNECTED. Input [batches][depth], weights [channels][depth], output [batches][channels]. */
#ifndef TS_FULLY_CONNECTED_H
#define TS_FULLY_CONNECTED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/fixed_point.h"
#include "common/float_sum.h"
#include "common/four_rows.h"
#include "common/operands.h"
#include "common/params.h"
#include "common/sum_s16.h"

/* multiplier_step is 1 for a multiplier and shift per output channel, 0 for one of each. bias may be NULL. */
typedef struct {
    int32_t batches, depth, channels;
    int32_t input_offset, output_offset;
    TS_ACTIVATION_FIELDS(int32_t)
    const int8_t *weights;
    const int32_t *bias;
    TS_REQUANTIZATION_FIELDS
    int32_t weights_offset; /* the negative of the weights' zero point: for the kernel that adds it */
} ts_fully_connected_s8_params;

static inline int8_t ts_fully_connected_output_s8(const ts_fully_connected_s8_params *p, int32_t channel, int32_t sum)
{
    if (p->bias != NULL) {
        sum = ts_wrap_add(sum, p->bias[channel]);
    }
    const int32_t m = channel * p->multiplier_step;
    sum = ts_wrap_add(ts_requantize(sum, p->multipliers[m], p->shifts[m]), p->output_offset);
    return (int8_t)ts_clamp(sum, p->activation_min, p->activation_max);
}

/* int8, equal to TFLM's reference_integer_ops::FullyConnected and FullyConnectedPerChannel. Four channels at a time. */
static inline void ts_fully_connected_s8(const ts_fully_connected_s8_params *p, const int8_t *input, int8_t *output)
{
    for (int32_t b = 0; b < p->batches; b++, input += p->depth) {
        const int8_t *w = p->weights;
        for (int32_t first = 0; first < p->channels; first += TS_ROWS, w += TS_ROWS * p->depth) {
            const int32_t count = ts_min(TS_ROWS, p->channels - first);
            int32_t sums[TS_ROWS] = {0, 0, 0, 0};
            ts_add_four_rows_s8(sums, w, ts_four_rows(count, p->depth), input, p->input_offset, p->depth);
            for (int32_t c = 0; c < count; c++) {
                *output++ = ts_fully_connected_output_s8(p, first + c, sums[c]);
            }
        }
    }
}

/* As above with weights whose zero point is not 0. */
typedef ts_fully_connected_s8_params ts_fully_connected_offset_s8_params;

static inline void ts_fully_connected_offset_s8(const ts_fully_connected_offset_s8_params *p, const int8_t *input,
                                                int8_t *output)
{
    for (int32_t b = 0; b < p->batches; b++, input += p->depth) {
        const int8_t *w = p->weights;
        for (int32_t c = 0; c < p->channels; c++, w += p->depth) {
            int32_t sum = 0;
            for (int32_t i = 0; i < p->depth; i++) {
                sum += (w[i] + p->weights_offset) * (input[i] + p->input_offset);
            }
            *output++ = ts_fully_connected_output_s8(p, c, sum);
        }
    }
}

typedef struct {
    int32_t batches, depth, channels;
    TS_ACTIVATION_FIELDS(int32_t)
    const int8_t *weights;
    const void *bias; /* int64_t, or int32_t with narrow_sums */
    bool narrow_sums;
    TS_REQUANTIZATION_FIELDS
    int32_t weights_offset; /* as for int8 */
} ts_fully_connected_s16_params;

static inline int16_t ts_fully_connected_output_s16(const ts_fully_connected_s16_params *p, int32_t channel,
                                                    int64_t sum)
{
    const int32_t m = channel * p->multiplier_step;
    const int32_t scaled = ts_scaled_sum_s16(sum, p->bias, p->narrow_sums, channel, p->multipliers[m], p->shifts[m]);
    return (int16_t)ts_clamp(scaled, p->activation_min, p->activation_max);
}

/* int16 activations, int8 weights, equal to TFLM's reference_integer_ops::FullyConnected with int64_t or int32_t. */
static inline void ts_fully_connected_s16(const ts_fully_connected_s16_params *p, const int16_t *input, int16_t *output)
{
    for (int32_t b = 0; b < p->batches; b++, input += p->depth) {
        const int8_t *w = p->weights;
        for (int32_t c = 0; c < p->channels; c++, w += p->depth) {
            int64_t sum = 0;
            for (int32_t i = 0; i < p->depth; i++) {
                sum += w[i] * input[i];
            }
            *output++ = ts_fully_connected_output_s16(p, c, sum);
        }
    }
}

/* As above with weights whose zero point is not 0. */
typedef ts_fully_connected_s16_params ts_fully_connected_offset_s16_params;

static inline void ts_fully_connected_offset_s16(const ts_fully_connected_offset_s16_params *p, const int16_t *input,
                                                 int16_t *output)
{
    for (int32_t b = 0; b < p->batches; b++, input += p->depth) {
        const int8_t *w = p->weights;
        for (int32_t c = 0; c < p->channels; c++, w += p->depth) {
            int64_t sum = 0;
            for (int32_t i = 0; i < p->depth; i++) {
                sum += (w[i] + p->weights_offset) * input[i];
            }
            *output++ = ts_fully_connected_output_s16(p, c, sum);
        }
    }
}

typedef struct {
    int32_t batches, depth, channels;
    TS_ACTIVATION_FIELDS(float)
    const float *weights;
    const float *bias;
} ts_fully_connected_f32_params;

/* float32, the sums in the order of TFLM's reference_ops::FullyConnected. */
static inline void ts_fully_connected_f32(const ts_fully_connected_f32_params *p, const float *input, float *output)
{
    for (int32_t b = 0; b < p->batches; b++, input += p->depth) {
        const float *w = p->weights;
        for (int32_t c = 0; c < p->channels; c++, w += p->depth) {
            float sum = 0.0f;
            for (int32_t i = 0; i < p->depth; i++) {
                sum = ts_add_product(sum, w[i], input[i]);
            }
            if (p->bias != NULL) {
                sum += p->bias[c];
            }
            sum = sum > p->activation_min ? sum : p->activation_min;
            *output++ = sum < p->activation_max ? sum : p->activation_max;
        }
    }
}

TS_COMPUTED_OPERANDS(ts_fully_connected_s8, int8_t, int8_t, int32_t)
TS_COMPUTED_OPERANDS(ts_fully_connected_offset_s8, int8_t, int8_t, int32_t)
TS_COMPUTED_OPERANDS(ts_fully_connected_s16, int16_t, int8_t, void)
TS_COMPUTED_OPERANDS(ts_fully_connected_offset_s16, int16_t, int8_t, void)
TS_COMPUTED_OPERANDS(ts_fully_connected_f32, float, float, float)

#endif
