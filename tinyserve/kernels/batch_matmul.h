/* SPDX-License-Identifier: Apache-2.0 */
/* BATCH_MATMUL: products of matrices that are computed at run time. */
#ifndef TS_BATCH_MATMUL_H
#define TS_BATCH_MATMUL_H

#include <stdint.h>

#include "common/fixed_point.h"
#include "common/float_sum.h"

/* output[b][r][c] = sum over d of left[b][r][d] * right[b][d][c]. Strides in elements; up to three batch dimensions,
 * with stride 0 where an operand is repeated. */
typedef struct {
    int32_t batch[3], left_batch[3], right_batch[3];
    int32_t rows, columns, depth;
    int32_t left_row, left_depth, right_depth, right_column;
} ts_matmul;

/* *output++ = FINISH(p, sum) in the output's order; each product is added by ADD(p, sum, left, right). */
#define TS_BATCH_MATMUL_FOR_EACH(T, A, ADD, FINISH)                                                                    \
    for (int32_t b0 = 0; b0 < p->matmul.batch[0]; b0++) {                                                              \
        for (int32_t b1 = 0; b1 < p->matmul.batch[1]; b1++) {                                                          \
            for (int32_t b2 = 0; b2 < p->matmul.batch[2]; b2++) {                                                      \
                const T *l0 =                                                                                          \
                    left + b0 * p->matmul.left_batch[0] + b1 * p->matmul.left_batch[1] + b2 * p->matmul.left_batch[2]; \
                const T *r0 = right + b0 * p->matmul.right_batch[0] + b1 * p->matmul.right_batch[1] +                  \
                              b2 * p->matmul.right_batch[2];                                                           \
                for (int32_t row = 0; row < p->matmul.rows; row++) {                                                   \
                    for (int32_t column = 0; column < p->matmul.columns; column++) {                                   \
                        const T *l = l0 + row * p->matmul.left_row;                                                    \
                        const T *r = r0 + column * p->matmul.right_column;                                             \
                        A sum = 0;                                                                                     \
                        for (int32_t d = 0; d < p->matmul.depth;                                                       \
                             d++, l += p->matmul.left_depth, r += p->matmul.right_depth) {                             \
                            sum = ADD(p, sum, *l, *r);                                                                 \
                        }                                                                                              \
                        *output++ = FINISH(p, sum);                                                                    \
                    }                                                                                                  \
                }                                                                                                      \
            }                                                                                                          \
        }                                                                                                              \
    }

/* Offsets are negated zero points. */
typedef struct {
    ts_matmul matmul;
    int32_t left_offset, right_offset, output_offset;
    ts_factor factor;
} ts_batch_matmul_quantized_params;

#define TS_MATMUL_S8(p, sum)                                                                                           \
    (int8_t) ts_clamp(ts_wrap_add(ts_requantize_by(sum, (p)->factor), (p)->output_offset), INT8_MIN, INT8_MAX)
#define TS_MATMUL_ADD_S16(p, sum, l, r) ((sum) + (l) * (r))
#define TS_MATMUL_ADD_F32(p, sum, l, r) ts_add_product(sum, l, r)
#define TS_MATMUL_S16(p, sum) (int16_t) ts_clamp(ts_requantize_by_s64(sum, (p)->factor), INT16_MIN, INT16_MAX)
#define TS_MATMUL_F32(p, sum) (sum)

/* A row of `left` times `count` columns, up to 4: sum of (l + a) (r + b) = sum of (l + a) r + b sum of (l + a). Columns
 * beyond the last repeat it. */
static inline void ts_matmul_columns_s8(const ts_batch_matmul_quantized_params *p, const int8_t *left,
                                        const int8_t *right, int32_t count, int8_t *output)
{
    const int8_t *const second = right + (count > 1 ? p->matmul.right_column : 0);
    const int8_t *const third = second + (count > 2 ? p->matmul.right_column : 0);
    const int8_t *const fourth = third + (count > 3 ? p->matmul.right_column : 0);
    int32_t sums[4] = {0, 0, 0, 0}, total = 0;
    for (int32_t d = 0, at = 0; d < p->matmul.depth; d++, at += p->matmul.right_depth, left += p->matmul.left_depth) {
        const int32_t value = *left + p->left_offset;
        total += value;
        sums[0] += value * right[at];
        sums[1] += value * second[at];
        sums[2] += value * third[at];
        sums[3] += value * fourth[at];
    }
    for (int32_t c = 0; c < count; c++) {
        *output++ = TS_MATMUL_S8(p, sums[c] + total * p->right_offset);
    }
}

/* int8, equal to TFLM's reference_ops::BatchMatMul<int8_t, int32_t>. */
static inline void ts_batch_matmul_s8(const ts_batch_matmul_quantized_params *p, const int8_t *left,
                                      const int8_t *right, int8_t *output)
{
    for (int32_t b0 = 0; b0 < p->matmul.batch[0]; b0++) {
        for (int32_t b1 = 0; b1 < p->matmul.batch[1]; b1++) {
            for (int32_t b2 = 0; b2 < p->matmul.batch[2]; b2++) {
                const int8_t *row =
                    left + b0 * p->matmul.left_batch[0] + b1 * p->matmul.left_batch[1] + b2 * p->matmul.left_batch[2];
                const int8_t *r = right + b0 * p->matmul.right_batch[0] + b1 * p->matmul.right_batch[1] +
                                  b2 * p->matmul.right_batch[2];
                for (int32_t i = 0; i < p->matmul.rows; i++, row += p->matmul.left_row) {
                    for (int32_t first = 0; first < p->matmul.columns; first += 4) {
                        const int32_t count = ts_min(4, p->matmul.columns - first);
                        ts_matmul_columns_s8(p, row, r + first * p->matmul.right_column, count, output);
                        output += count;
                    }
                }
            }
        }
    }
}

/* int16, equal to TFLM's reference_ops::BatchMatMul<int16_t, int64_t>. */
static inline void ts_batch_matmul_s16(const ts_batch_matmul_quantized_params *p, const int16_t *left,
                                       const int16_t *right, int16_t *output)
{
    TS_BATCH_MATMUL_FOR_EACH(int16_t, int64_t, TS_MATMUL_ADD_S16, TS_MATMUL_S16)
}

typedef struct {
    ts_matmul matmul;
} ts_batch_matmul_f32_params;

/* float32, the sums in the order of TFLM's reference_ops::BatchMatMul. */
static inline void ts_batch_matmul_f32(const ts_batch_matmul_f32_params *p, const float *left, const float *right,
                                       float *output)
{
    TS_BATCH_MATMUL_FOR_EACH(float, float, TS_MATMUL_ADD_F32, TS_MATMUL_F32)
}

#undef TS_MATMUL_S8
#undef TS_MATMUL_ADD_S16
#undef TS_MATMUL_ADD_F32
#undef TS_MATMUL_S16
#undef TS_MATMUL_F32

#endif
