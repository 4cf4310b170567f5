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
#include "common/layer.h"

typedef struct {
    int32_t batches, depth, channels;
    ts_layer_s8 layer;
    int32_t weights_offset; /* the negative of the weights' zero point: for the kernel that adds it */
} ts_fully_connected_s8_params;

static inline int8_t ts_fully_connected_output_s8(const ts_fully_connected_s8_params *p, int32_t channel, int32_t sum)
{
    return ts_layer_output_s8(&p->layer, channel, sum);
}

/* int8, equal to TFLM's reference_integer_ops::FullyConnected and FullyConnectedPerChannel. Four channels at a time. */
static inline void ts_fully_connected_s8(const ts_fully_connected_s8_params *p, const int8_t *input, int8_t *output)
{
    for (int32_t b = 0; b < p->batches; b++, input += p->depth) {
        const int8_t *w = p->layer.weights;
        for (int32_t first = 0; first < p->channels; first += TS_ROWS, w += TS_ROWS * p->depth) {
            const int32_t count = ts_min(TS_ROWS, p->channels - first);
            int32_t sums[TS_ROWS] = {0, 0, 0, 0};
            ts_add_four_rows_s8(sums, w, ts_four_rows(count, p->depth), input, p->layer.input_offset, p->depth);
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
        const int8_t *w = p->layer.weights;
        for (int32_t c = 0; c < p->channels; c++, w += p->depth) {
            int32_t sum = 0;
            for (int32_t i = 0; i < p->depth; i++) {
                sum += (w[i] + p->weights_offset) * (input[i] + p->layer.input_offset);
            }
            *output++ = ts_fully_connected_output_s8(p, c, sum);
        }
    }
}

typedef struct {
    int32_t batches, depth, channels;
    ts_layer_s16 layer;
    bool narrow_sums;
    int32_t weights_offset; /* as for int8 */
} ts_fully_connected_s16_params;

static inline int16_t ts_fully_connected_output_s16(const ts_fully_connected_s16_params *p, int32_t channel,
                                                    int64_t sum)
{
    return ts_layer_output_s16(&p->layer, p->narrow_sums, channel, sum);
}

/* int16 activations, int8 weights, equal to TFLM's reference_integer_ops::FullyConnected with int64_t or int32_t. */
static inline void ts_fully_connected_s16(const ts_fully_connected_s16_params *p, const int16_t *input, int16_t *output)
{
    for (int32_t b = 0; b < p->batches; b++, input += p->depth) {
        const int8_t *w = p->layer.weights;
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
        const int8_t *w = p->layer.weights;
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
    ts_layer_f32 layer;
} ts_fully_connected_f32_params;

/* float32, the sums in the order of TFLM's reference_ops::FullyConnected. */
static inline void ts_fully_connected_f32(const ts_fully_connected_f32_params *p, const float *input, float *output)
{
    for (int32_t b = 0; b < p->batches; b++, input += p->depth) {
        const float *w = p->layer.weights;
        for (int32_t c = 0; c < p->channels; c++, w += p->depth) {
            float sum = 0.0f;
            for (int32_t i = 0; i < p->depth; i++) {
                sum = ts_add_product(sum, w[i], input[i]);
            }
            *output++ = ts_layer_output_f32(&p->layer, c, sum);
        }
    }
}

TS_COMPUTED_OPERANDS(ts_fully_connected_s8, int8_t, int8_t, int32_t)
TS_COMPUTED_OPERANDS(ts_fully_connected_offset_s8, int8_t, int8_t, int32_t)
TS_COMPUTED_OPERANDS(ts_fully_connected_s16, int16_t, int8_t, void)
TS_COMPUTED_OPERANDS(ts_fully_connected_offset_s16, int16_t, int8_t, void)
TS_COMPUTED_OPERANDS(ts_fully_connected_f32, float, float, float)

#endif
