/* SPDX-License-Identifier: Apache-2.0 */
/* Walks two inputs whose shapes broadcast to the output's, row by row. */
#ifndef TS_COMMON_BROADCAST_H
#define TS_COMMON_BROADCAST_H

#include <stdint.h>

/* The output has rank TS_BROADCAST_RANK + 1 (leading ones); its last dimension is a row. The strides, in elements, are
 * 0 where an input is repeated. Dimensions that both inputs walk alike are merged at compile time, so that equal
 * shapes are a single row. */
#define TS_BROADCAST_RANK 5

typedef struct {
    int32_t rows, row_length, row_stride1, row_stride2;
    int32_t shape[TS_BROADCAST_RANK];
    int32_t strides1[TS_BROADCAST_RANK];
    int32_t strides2[TS_BROADCAST_RANK];
} ts_broadcast;

/* Steps the offsets of both inputs to the next row. index counts the rows of each dimension. */
static inline void ts_broadcast_next(const ts_broadcast *broadcast, int32_t *index, int32_t *offset1, int32_t *offset2)
{
    for (int32_t d = TS_BROADCAST_RANK - 1; d >= 0; d--) {
        *offset1 += broadcast->strides1[d];
        *offset2 += broadcast->strides2[d];
        if (++index[d] < broadcast->shape[d]) {
            return;
        }
        *offset1 -= broadcast->strides1[d] * broadcast->shape[d];
        *offset2 -= broadcast->strides2[d] * broadcast->shape[d];
        index[d] = 0;
    }
}

/* *output++ = COMPUTE(p, a, b) for every element in ascending order; T1 and T2 are the inputs' types. */
#define TS_BROADCAST_FOR_EACH(T1, T2, COMPUTE)                                                                         \
    int32_t index[TS_BROADCAST_RANK] = {0}, start1 = 0, start2 = 0;                                                    \
    for (int32_t row = 0; row < p->broadcast.rows; row++) {                                                            \
        const T1 *a = input1 + start1;                                                                                 \
        const T2 *b = input2 + start2;                                                                                 \
        for (int32_t i = 0; i < p->broadcast.row_length; i++) {                                                        \
            *output++ = COMPUTE(p, *a, *b);                                                                            \
            a += p->broadcast.row_stride1;                                                                             \
            b += p->broadcast.row_stride2;                                                                             \
        }                                                                                                              \
        ts_broadcast_next(&p->broadcast, index, &start1, &start2);                                                     \
    }

#endif
