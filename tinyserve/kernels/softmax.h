/* SPDX-License-Identifier: Apache-2.0 */
/* SOFTMAX over rows of depth values. */
#ifndef TS_SOFTMAX_H
#define TS_SOFTMAX_H

#include <stdint.h>

#include "common/fixed_point.h"
#include "common/interpolate.h"
#include "common/math.h"
#include "common/reciprocal.h"

/* table[i] is exp(-i * input scale * beta) in Q0.31; greater differences to the row's maximum count as 0. */
typedef struct {
    int32_t rows, depth;
    int32_t table_size;
    const int32_t *table;
} ts_softmax_s8_params;

/* Reciprocal of a row's sum of exponentials: the row's softmax is exp * scale / 2^bits, both in Q0.31. */
typedef struct {
    int32_t max;
    int32_t scale;
    int32_t bits;
} ts_softmax_row;

static inline ts_softmax_row ts_softmax_reduce_s8(const ts_softmax_s8_params *p, const int8_t *input)
{
    ts_softmax_row row = {INT8_MIN, 0, 12};
    for (int32_t i = 0; i < p->depth; i++) {
        row.max = ts_max(row.max, input[i]);
    }
    int32_t sum = 0; /* Q12.19 */
    for (int32_t i = 0; i < p->depth; i++) {
        const int32_t difference = row.max - input[i];
        if (difference < p->table_size) {
            sum = ts_wrap_add(sum, ts_divide_by_power_of_two(p->table[difference], 12));
        }
    }
    uint32_t normalized = (uint32_t)sum;
    while (normalized < 0x80000000u) { /* sum >= exp(0) > 0 */
        normalized <<= 1;
        row.bits--;
    }
    row.scale = ts_one_over_one_plus_x((int32_t)(normalized - 0x80000000u));
    return row;
}

/* The softmax of one value as an integer of `bits` bits, before the zero point. */
static inline int32_t ts_softmax_value(const ts_softmax_s8_params *p, const ts_softmax_row *row, int32_t value,
                                       int32_t bits)
{
    const int32_t difference = row->max - value;
    if (difference >= p->table_size) {
        return 0;
    }
    const int32_t product = ts_multiply_high(row->scale, p->table[difference]);
    return ts_divide_by_power_of_two(product, row->bits + 31 - bits);
}

/* int8 with output scale 1/256 and zero point -128, equal to TFLM's reference_ops::Softmax<int8_t, int8_t>. */
static inline void ts_softmax_s8(const ts_softmax_s8_params *p, const int8_t *input, int8_t *output)
{
    for (int32_t r = 0; r < p->rows; r++, input += p->depth) {
        const ts_softmax_row row = ts_softmax_reduce_s8(p, input);
        for (int32_t i = 0; i < p->depth; i++) {
            const int32_t value = ts_softmax_value(p, &row, input[i], 8);
            *output++ = (int8_t)ts_min(value + INT8_MIN, INT8_MAX);
        }
    }
}

/* int8 to int16 with output scale 1/65536 and zero point -32768: TFLM's reference_ops::Softmax<int8_t, int16_t>. */
static inline void ts_softmax_s8_s16(const ts_softmax_s8_params *p, const int8_t *input, int16_t *output)
{
    for (int32_t r = 0; r < p->rows; r++, input += p->depth) {
        const ts_softmax_row row = ts_softmax_reduce_s8(p, input);
        for (int32_t i = 0; i < p->depth; i++) {
            const int32_t value = ts_softmax_value(p, &row, input[i], 16);
            *output++ = (int16_t)ts_min(value + INT16_MIN, INT16_MAX);
        }
    }
}

/* exp_table samples e^x for x in [-10, 0], reciprocal_table 1 / (1 + x) for x in [0, 1], both at 513 points in Q0.15
 * over the range of int16. Differences times multiplier and shift are in units of 10 / 65535. */
typedef struct {
    int32_t rows, depth;
    ts_factor factor;
    const int16_t *exp_table;
    const int16_t *reciprocal_table;
} ts_softmax_s16_params;

/* int16 with output scale 1/32768, equal to TFLM's reference_ops::SoftmaxInt16. The output holds the exponentials
 * until their sum is known. */
static inline void ts_softmax_s16(const ts_softmax_s16_params *p, const int16_t *input, int16_t *output)
{
    for (int32_t r = 0; r < p->rows; r++, input += p->depth, output += p->depth) {
        int32_t max = INT16_MIN;
        for (int32_t i = 0; i < p->depth; i++) {
            max = ts_max(max, input[i]);
        }
        int32_t sum = 0; /* Q16.15 */
        for (int32_t i = 0; i < p->depth; i++) {
            const int32_t scaled = ts_requantize_by(input[i] - max, p->factor);
            output[i] = ts_interpolate_s16(p->exp_table, ts_clamp(ts_wrap_add(scaled, 32767), INT16_MIN, INT16_MAX));
            sum += output[i];
        }
        int32_t leading_zeros = 0;
        while (((uint32_t)sum << leading_zeros) < 0x80000000u && leading_zeros < 31) {
            leading_zeros++;
        }
        const int32_t normal = (int32_t)((((int64_t)sum << (leading_zeros - 1)) + (1 << 13)) >> 14);
        const int32_t argument = ts_clamp(normal - (1 << 15) - (1 << 16), INT16_MIN, INT16_MAX);
        const int64_t scale = ts_interpolate_s16(p->reciprocal_table, argument);
        const int32_t bits = 31 - leading_zeros;
        for (int32_t i = 0; i < p->depth; i++) {
            const int64_t product = output[i] * scale + ((int64_t)1 << (bits - 1));
            output[i] = (int16_t)ts_clamp((int32_t)(product >> bits), 0, INT16_MAX);
        }
    }
}

typedef struct {
    int32_t rows, depth;
    float beta;
} ts_softmax_f32_params;

/* float32, in the order of TFLM's reference_ops::Softmax. */
static inline void ts_softmax_f32(const ts_softmax_f32_params *p, const float *input, float *output)
{
    for (int32_t r = 0; r < p->rows; r++, input += p->depth, output += p->depth) {
        float max = input[0];
        for (int32_t i = 1; i < p->depth; i++) {
            max = input[i] > max ? input[i] : max;
        }
        float sum = 0.0f;
        for (int32_t i = 0; i < p->depth; i++) {
            output[i] = ts_expf((input[i] - max) * p->beta);
            sum += output[i];
        }
        for (int32_t i = 0; i < p->depth; i++) {
            output[i] /= sum;
        }
    }
}

#endif
