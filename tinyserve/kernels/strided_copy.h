/* SPDX-License-Identifier: Apache-2.0 */
/* Copies a block of elements from one place and order to another: slices, transpositions, concatenations. */
#ifndef TS_STRIDED_COPY_H
#define TS_STRIDED_COPY_H

#include <stdint.h>

#include "common/compiler.h"
#include "common/copy.h"

#define TS_STRIDED_COPY_RANK 5

/* shape is that of the block (leading ones, the last dimension is row_length); strides are in elements, may be 0 or
 * negative; start is the element of the block's origin. Rows are walked in the order of shape. */
typedef struct {
    int32_t rows, row_length;
    int32_t shape[TS_STRIDED_COPY_RANK];
    int32_t input_start, input_row_stride;
    int32_t input_strides[TS_STRIDED_COPY_RANK];
    int32_t output_start, output_row_stride;
    int32_t output_strides[TS_STRIDED_COPY_RANK];
} ts_strided_copy_params;

/* Inlined so that what each layer's constants make of it is left: most walks have one or two dimensions. */
#define TS_STRIDED_COPY_INLINE static TS_ALWAYS_INLINE

TS_STRIDED_COPY_INLINE void ts_strided_copy_next(const ts_strided_copy_params *p, int32_t *index, int32_t *from,
                                                 int32_t *to)
{
#pragma GCC unroll 5
    for (int32_t d = TS_STRIDED_COPY_RANK - 1; d >= 0; d--) {
        *from += p->input_strides[d];
        *to += p->output_strides[d];
        if (++index[d] < p->shape[d]) {
            return;
        }
        *from -= p->input_strides[d] * p->shape[d];
        *to -= p->output_strides[d] * p->shape[d];
        index[d] = 0;
    }
}

/* Clang unrolls as far as the constants let it, and further than this. */
#if defined(__GNUC__) && !defined(__clang__)
#define TS_STRIDED_COPY_UNROLLED _Pragma("GCC unroll 4")
#else
#define TS_STRIDED_COPY_UNROLLED
#endif

#define TS_STRIDED_COPY(SUFFIX, T)                                                                                     \
    static inline void ts_strided_copy_##SUFFIX(const ts_strided_copy_params *p, const T *input, T *output)            \
    {                                                                                                                  \
        int32_t index[TS_STRIDED_COPY_RANK] = {0}, from = p->input_start, to = p->output_start;                        \
        for (int32_t row = 0; row < p->rows; row++) {                                                                  \
            TS_STRIDED_COPY_UNROLLED for (int32_t i = 0; i < p->row_length; i++)                                       \
            {                                                                                                          \
                output[to + i * p->output_row_stride] = input[from + i * p->input_row_stride];                         \
            }                                                                                                          \
            ts_strided_copy_next(p, index, &from, &to);                                                                \
        }                                                                                                              \
    }

TS_STRIDED_COPY(s8, int8_t) /* also uint8 and bool */
TS_STRIDED_COPY(s16, int16_t)
TS_STRIDED_COPY(s32, int32_t)
TS_STRIDED_COPY(s64, int64_t)
TS_STRIDED_COPY(f32, float)

#undef TS_STRIDED_COPY
#undef TS_STRIDED_COPY_UNROLLED

/* Rows that lie in one piece at both ends. Elements are bytes, or words that are aligned at both ends. */
#define TS_STRIDED_COPY_RUNS(UNIT, T)                                                                                  \
    TS_STRIDED_COPY_INLINE void ts_strided_copy_runs_of_##UNIT(const ts_strided_copy_params *p, const void *input,     \
                                                               void *output)                                           \
    {                                                                                                                  \
        const T *const source = input;                                                                                 \
        T *const target = output;                                                                                      \
        int32_t index[TS_STRIDED_COPY_RANK] = {0}, from = p->input_start, to = p->output_start;                        \
        for (int32_t row = 0; row < p->rows; row++) {                                                                  \
            ts_copy_##UNIT(target + to, source + from, p->row_length);                                                 \
            ts_strided_copy_next(p, index, &from, &to);                                                                \
        }                                                                                                              \
    }

TS_STRIDED_COPY_RUNS(bytes, uint8_t)
TS_STRIDED_COPY_RUNS(words, ts_copy_word)

#undef TS_STRIDED_COPY_RUNS

#endif
