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

/* *output++ = OUTPUT(p, channel, sum) for every row and channel; W is the weights' type, A that of sums, to which
 * ADD(p, sum, weight, value) adds. */
#define TS_FULLY_CONNECTED_FOR_EACH(T, W, A, ADD, OUTPUT)                                                              \
    for (int32_t b = 0; b < p->batches; b++, input += p->depth) {                                                      \
        const W *w = p->layer.weights;                                                                                 \
        for (int32_t c = 0; c < p->channels; c++, w += p->depth) {                                                     \
            A sum = 0;                                                                                                 \
            for (int32_t i = 0; i < p->depth; i++) {                                                                   \
                sum = ADD(p, sum, w[i], input[i]);                                                                     \
            }                                                                                                          \
            *output++ = OUTPUT(p, c, sum);                                                                             \
        }                                                                                                              \
    }

#define TS_FULLY_CONNECTED_ADD_OFFSET_S8(p, sum, weight, value)                                                        \
    ((sum) + ((weight) + (p)->weights_offset) * ((value) + (p)->layer.input_offset))
#define TS_FULLY_CONNECTED_ADD_S16(p, sum, weight, value) ((sum) + (weight) * (value))
#define TS_FULLY_CONNECTED_ADD_OFFSET_S16(p, sum, weight, value) ((sum) + ((weight) + (p)->weights_offset) * (value))
#define TS_FULLY_CONNECTED_ADD_F32(p, sum, weight, value) ts_add_product(sum, weight, value)

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
    TS_FULLY_CONNECTED_FOR_EACH(int8_t, int8_t, int32_t, TS_FULLY_CONNECTED_ADD_OFFSET_S8, ts_fully_connected_output_s8)
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
    TS_FULLY_CONNECTED_FOR_EACH(int16_t, int8_t, int64_t, TS_FULLY_CONNECTED_ADD_S16, ts_fully_connected_output_s16)
}

/* As above with weights whose zero point is not 0. */
typedef ts_fully_connected_s16_params ts_fully_connected_offset_s16_params;

static inline void ts_fully_connected_offset_s16(const ts_fully_connected_offset_s16_params *p, const int16_t *input,
                                                 int16_t *output)
{
    TS_FULLY_CONNECTED_FOR_EACH(int16_t, int8_t, int64_t, TS_FULLY_CONNECTED_ADD_OFFSET_S16,
                                ts_fully_connected_output_s16)
}

typedef struct {
    int32_t batches, depth, channels;
    ts_layer_f32 layer;
} ts_fully_connected_f32_params;

static inline float ts_fully_connected_output_f32(const ts_fully_connected_f32_params *p, int32_t channel, float sum)
{
    return ts_layer_output_f32(&p->layer, channel, sum);
}

/* float32, the sums in the order of TFLM's reference_ops::FullyConnected. */
static inline void ts_fully_connected_f32(const ts_fully_connected_f32_params *p, const float *input, float *output){
    TS_FULLY_CONNECTED_FOR_EACH(float, float, float, TS_FULLY_CONNECTED_ADD_F32, ts_fully_connected_output_f32)}

TS_COMPUTED_OPERANDS(ts_fully_connected_s8, int8_t, int8_t, int32_t)
    TS_COMPUTED_OPERANDS(ts_fully_connected_offset_s8, int8_t, int8_t, int32_t)
        TS_COMPUTED_OPERANDS(ts_fully_connected_s16, int16_t, int8_t, void)
            TS_COMPUTED_OPERANDS(ts_fully_connected_offset_s16, int16_t, int8_t, void)
                TS_COMPUTED_OPERANDS(ts_fully_connected_f32, float, float, float)

#undef TS_FULLY_CONNECTED_FOR_EACH
#undef TS_FULLY_CONNECTED_ADD_OFFSET_S8
#undef TS_FULLY_CONNECTED_ADD_S16
#undef TS_FULLY_CONNECTED_ADD_OFFSET_S16
#undef TS_FULLY_CONNECTED_ADD_F32

#endif
