/* SPDX-License-Identifier: Apache-2.0 */
/* FULLY_CONNECTED with int8 weights from dot products of several rows with one vector: what an instruction set's header
 * makes its kernels of. */
#ifndef TS_BY_DOTS_FULLY_CONNECTED_H
#define TS_BY_DOTS_FULLY_CONNECTED_H

#include "../fully_connected.h"

#define TS_FULLY_CONNECTED_BLOCK 8 /* channels at a time */

/* Parameters as in fully_connected.h. int8: bias has the input's zero point folded in. Equal to the portable kernel
 * while no sum of products exceeds 32 bits. */
#define TS_FULLY_CONNECTED_BY_DOTS(ISA, SUFFIX, T, DOTS)                                                               \
    static inline void ts_##ISA##_fully_connected_dots_##SUFFIX(const ts_fully_connected_##SUFFIX##_params *p,         \
                                                                const T *input, T *output)                             \
    {                                                                                                                  \
        for (int32_t b = 0; b < p->batches; b++, input += p->depth) {                                                  \
            for (int32_t first = 0; first < p->channels; first += TS_FULLY_CONNECTED_BLOCK) {                          \
                const int32_t count = ts_min(TS_FULLY_CONNECTED_BLOCK, p->channels - first);                           \
                int32_t sums[TS_FULLY_CONNECTED_BLOCK];                                                                \
                DOTS(p->layer.weights + first * p->depth, input, sums, count, p->depth);                               \
                for (int32_t i = 0; i < count; i++) {                                                                  \
                    *output++ = ts_fully_connected_output_##SUFFIX(p, first + i, sums[i]);                             \
                }                                                                                                      \
            }                                                                                                          \
        }                                                                                                              \
    }

#endif
