/* SPDX-License-Identifier: Apache-2.0 */
/* BATCH_MATMUL, int8, from dot products of several rows with one vector: what an instruction set's header makes its
 * kernels of. */
#ifndef TS_BY_DOTS_BATCH_MATMUL_H
#define TS_BY_DOTS_BATCH_MATMUL_H

#include <stddef.h>
#include <stdint.h>

#include "../common/fixed_point.h"

#if defined(__ARM_FEATURE_MVE)
#include "../common/helium.h"
#endif

/* left [rows][depth], right [columns][depth], or [depth][columns] with transpose. Offsets are negated zero points.
 * ones: depth of them. Batch strides as in batch_matmul.h. */
/* Bytes of scratch: sums of columns, where the left zero point is not 0, and a transposed matrix. */
#define TS_MATMUL_SUMS_BYTES(columns) (4 * (columns))
#define TS_MATMUL_TRANSPOSED_BYTES(columns, depth) ((columns) * (depth))

typedef struct {
    int32_t batch[3], left_batch[3], right_batch[3];
    int32_t rows, columns, depth, transpose;
    const int8_t *ones;
    int32_t left_offset, right_offset, output_offset;
    ts_factor factor;
} ts_batch_matmul_by_dots_params;

#define TS_MATMUL_BLOCK 16 /* columns at a time */

static inline void ts_matmul_transpose_s8(int8_t *to, const int8_t *from, int32_t rows, int32_t columns)
{
#if defined(__ARM_FEATURE_MVE)
    if (columns <= UINT16_MAX / 8) { /* the offsets of 8 rows */
        const uint16x8_t offsets = vmulq_n_u16(vidupq_n_u16(0, 1), (uint16_t)columns);
        for (int32_t column = 0; column < columns; column++, from++) {
            const int8_t *source = from;
            for (int32_t left = rows; left > 0; left -= 8, source += 8 * columns) {
                const mve_pred16_t lanes = vctp16q((uint32_t)left);
                const int16x8_t values = vldrbq_gather_offset_z_s16(source, offsets, lanes);
                TS_STORE_LANES(vstrbq_p_s16, to, values, lanes);
                to += left < 8 ? left : 8;
            }
        }
        return;
    }
#endif
    for (int32_t column = 0; column < columns; column++, from++) {
        const int8_t *source = from;
#pragma GCC unroll 4
        for (int32_t row = 0; row < rows; row++, source += columns) {
            *to++ = *source;
        }
    }
}

/* The products of a row with `count` columns, scaled. right_sums are read where there is a left_offset. */
#define TS_MATMUL_RESULTS(NAME, REQUANTIZE)                                                                            \
    static inline void NAME(const ts_batch_matmul_by_dots_params *p, const int32_t *sums, int32_t start,               \
                            const int32_t *right_sums, int32_t count, int8_t *output)                                  \
    {                                                                                                                  \
        _Pragma("GCC unroll 2") for (int32_t i = 0; i < count; i++)                                                    \
        {                                                                                                              \
            int32_t sum = ts_wrap_add(sums[i], start);                                                                 \
            if (p->left_offset != 0) {                                                                                 \
                sum = ts_wrap_add(sum, p->left_offset * right_sums[i]);                                                \
            }                                                                                                          \
            const int32_t scaled = REQUANTIZE(sum, p->factor);                                                         \
            output[i] = (int8_t)ts_clamp(ts_wrap_add(scaled, p->output_offset), INT8_MIN, INT8_MAX);                   \
        }                                                                                                              \
    }

/* sum of (l + a) (r + b) = sum of l r + a sum of r + b sum of l + depth a b. right_sums: columns; transposed: columns x
 * depth where it is done here. */
#define TS_BATCH_MATMUL_BY_DOTS(ISA, DOTS, RESULTS)                                                                    \
    static inline void ts_##ISA##_matmul_row_s8(const ts_batch_matmul_by_dots_params *p, const int8_t *left,           \
                                                const int8_t *right, const int32_t *right_sums, int8_t *output)        \
    {                                                                                                                  \
        int32_t start = p->depth * p->left_offset * p->right_offset;                                                   \
        if (p->right_offset != 0) {                                                                                    \
            int32_t left_sum;                                                                                          \
            DOTS(left, p->ones, &left_sum, 1, p->depth);                                                               \
            start += p->right_offset * left_sum;                                                                       \
        }                                                                                                              \
        for (int32_t first = 0; first < p->columns; first += TS_MATMUL_BLOCK) {                                        \
            const int32_t count = ts_min(TS_MATMUL_BLOCK, p->columns - first);                                         \
            int32_t sums[TS_MATMUL_BLOCK];                                                                             \
            DOTS(right + first * p->depth, left, sums, count, p->depth);                                               \
            RESULTS(p, sums, start, right_sums + first, count, output);                                                \
            output += count;                                                                                           \
        }                                                                                                              \
    }                                                                                                                  \
                                                                                                                       \
    static inline void ts_##ISA##_matmul_s8(const ts_batch_matmul_by_dots_params *p, const int8_t *left,               \
                                            const int8_t *right, int8_t *output, int32_t *right_sums,                  \
                                            int8_t *transposed)                                                        \
    {                                                                                                                  \
        if (p->transpose) {                                                                                            \
            ts_matmul_transpose_s8(transposed, right, p->depth, p->columns);                                           \
            right = transposed;                                                                                        \
        }                                                                                                              \
        if (p->left_offset != 0) {                                                                                     \
            DOTS(right, p->ones, right_sums, p->columns, p->depth);                                                    \
        }                                                                                                              \
        for (int32_t row = 0; row < p->rows; row++, left += p->depth, output += p->columns) {                          \
            ts_##ISA##_matmul_row_s8(p, left, right, right_sums, output);                                              \
        }                                                                                                              \
    }                                                                                                                  \
                                                                                                                       \
    static inline void ts_##ISA##_batch_matmul_s8(const ts_batch_matmul_by_dots_params *p, const int8_t *left,         \
                                                  const int8_t *right, int8_t *output, int32_t *right_sums,            \
                                                  int8_t *transposed)                                                  \
    {                                                                                                                  \
        for (int32_t b0 = 0; b0 < p->batch[0]; b0++) {                                                                 \
            for (int32_t b1 = 0; b1 < p->batch[1]; b1++) {                                                             \
                for (int32_t b2 = 0; b2 < p->batch[2]; b2++, output += p->rows * p->columns) {                         \
                    ts_##ISA##_matmul_s8(                                                                              \
                        p, left + b0 * p->left_batch[0] + b1 * p->left_batch[1] + b2 * p->left_batch[2],               \
                        right + b0 * p->right_batch[0] + b1 * p->right_batch[1] + b2 * p->right_batch[2], output,      \
                        right_sums, transposed);                                                                       \
                }                                                                                                      \
            }                                                                                                          \
        }                                                                                                              \
    }

#endif
