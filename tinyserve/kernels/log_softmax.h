/* SPDX-License-Identifier: Apache-2.0 */
/* LOG_SOFTMAX over rows of depth values. */
#ifndef TS_LOG_SOFTMAX_H
#define TS_LOG_SOFTMAX_H

#include <stdint.h>

#include "common/fixed_point.h"
#include "common/math.h"
#include "common/reciprocal.h"

/* ln x of a Q12.19 number >= 1, as Q5.26: gemmlowp-style log_x_for_x_greater_than_or_equal_to_1 of TFLM. x is brought
 * near sqrt(1/2) by powers of two, counted with a quarter's offset, and the rest is a quotient of polynomials. */
static inline int32_t ts_log_q12(int32_t x)
{
    const int32_t ln_2 = 1488522236, sqrt_half = 1518500250, sqrt_sqrt_half = 1805811301, quarter = 1 << 23; /* Q6.25 */
    const int32_t alpha_n = 117049297, alpha_d = 127690142, alpha_i = 1057819769, alpha_f = 638450708;

    int32_t zeros = 0;
    while (((uint32_t)x << zeros) < 0x80000000u) {
        zeros++;
    }
    const int32_t r_a =
        ts_saturating_shift_left(ts_multiply_high(ts_saturating_shift_left(x, zeros - 1), sqrt_half), 1);
    const int32_t power_a = (12 - zeros) * (1 << 25) + quarter;

    const uint32_t scaled = (uint32_t)ts_multiply_high(x, sqrt_half);
    int32_t headroom = -1;
    while ((scaled << (headroom + 1)) < 0x80000000u) {
        headroom++;
    }
    const int32_t r_b = ts_saturating_shift_left(x, headroom);
    const int32_t power_b = (12 - headroom) * (1 << 25) - quarter;

    const int32_t r = ts_min(r_a, r_b);
    const int32_t power = ts_max(power_a, power_b);
    const int64_t sum = (int64_t)r + sqrt_sqrt_half;
    const int32_t p = (int32_t)((sum + (sum >= 0 ? 1 : -1)) / 2);
    const int32_t q = ts_wrap_shift_left(r - sqrt_sqrt_half, 1);
    const int32_t square = ts_multiply_high(q, q);
    const int32_t numerator =
        ts_wrap_add(ts_multiply_high(q, r), ts_multiply_high(ts_multiply_high(q, square), alpha_n));
    const int32_t inner = ts_wrap_add(ts_wrap_add(alpha_i, q), ts_multiply_high(alpha_d, square));
    const int32_t denominator = ts_wrap_add(ts_multiply_high(p, inner), ts_multiply_high(alpha_f, q));
    const int32_t quotient =
        ts_multiply_high(ts_divide_by_power_of_two(numerator, 6), ts_one_over_one_plus_x(denominator));
    return ts_saturating_shift_left(ts_wrap_add(ts_multiply_high(power, ln_2), quotient), 1);
}

/* table[i] is exp(-i * input scale) in Q0.31; greater differences to the row's maximum count as 0. multiplier and shift
 * bring a difference to Q5.26, reverse_multiplier and reverse_shift bring it back. */
typedef struct {
    int32_t rows, depth;
    int32_t table_size;
    const int32_t *table;
    ts_factor factor, reverse_factor;
} ts_log_softmax_s8_params;

/* int8 with output scale 1/16 and zero point 127, equal to TFLM's reference_ops::LogSoftmax. */
static inline void ts_log_softmax_s8(const ts_log_softmax_s8_params *p, const int8_t *input, int8_t *output)
{
    for (int32_t r = 0; r < p->rows; r++, input += p->depth) {
        int32_t max = INT8_MIN;
        for (int32_t i = 0; i < p->depth; i++) {
            max = ts_max(max, input[i]);
        }
        int32_t sum = 0; /* Q12.19 */
        for (int32_t i = 0; i < p->depth; i++) {
            if (max - input[i] < p->table_size) {
                sum = ts_wrap_add(sum, ts_divide_by_power_of_two(p->table[max - input[i]], 12));
            }
        }
        const int32_t log_sum = ts_log_q12(sum);
        const int32_t reach = ts_requantize_by(ts_wrap_add(log_sum, INT32_MIN), p->reverse_factor);
        const int32_t least = ts_max(-p->table_size, reach);
        for (int32_t i = 0; i < p->depth; i++) {
            const int32_t difference = input[i] - max;
            int32_t value = INT8_MIN;
            if (difference > least) {
                const int32_t scaled = ts_requantize_by(difference, p->factor);
                value = ts_divide_by_power_of_two(ts_wrap_add(scaled, -log_sum), 22) + INT8_MAX;
            }
            *output++ = (int8_t)ts_clamp(value, INT8_MIN, INT8_MAX);
        }
    }
}

typedef struct {
    int32_t rows, depth;
} ts_log_softmax_f32_params;

/* float32, in the order of TFLM's reference_ops::LogSoftmax. */
static inline void ts_log_softmax_f32(const ts_log_softmax_f32_params *p, const float *input, float *output)
{
    for (int32_t r = 0; r < p->rows; r++, input += p->depth) {
        float max = input[0];
        for (int32_t i = 1; i < p->depth; i++) {
            max = input[i] > max ? input[i] : max;
        }
        float sum = 0.0f;
        for (int32_t i = 0; i < p->depth; i++) {
            sum += ts_expf(input[i] - max);
        }
        const float log_sum = ts_logf(sum);
        for (int32_t i = 0; i < p->depth; i++) {
            *output++ = input[i] - max - log_sum;
        }
    }
}

#endif
