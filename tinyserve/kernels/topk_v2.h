/* SPDX-License-Identifier: Apache-2.0 */
/* TOPK_V2: the largest values of each row in descending order, and where they are. Equal values come in the order of
 * their positions. */
#ifndef TS_TOPK_V2_H
#define TS_TOPK_V2_H

#include <stdint.h>

/* input [rows][columns] to values and positions [rows][count]. */
typedef struct {
    int32_t rows, columns, count;
} ts_topk_v2_params;

/* Each pass finds the greatest of what comes behind the one before. */
#define TS_TOPK_V2(SUFFIX, T)                                                                                          \
    static inline void ts_topk_v2_##SUFFIX(const ts_topk_v2_params *p, const T *input, T *values, int32_t *positions)  \
    {                                                                                                                  \
        for (int32_t row = 0; row < p->rows; row++, input += p->columns) {                                             \
            int32_t last = -1;                                                                                         \
            for (int32_t n = 0; n < p->count; n++) {                                                                   \
                int32_t best = -1;                                                                                     \
                for (int32_t i = 0; i < p->columns; i++) {                                                             \
                    const int behind = last < 0 || input[i] < input[last] || (input[i] == input[last] && i > last);    \
                    if (behind && (best < 0 || input[i] > input[best])) {                                              \
                        best = i;                                                                                      \
                    }                                                                                                  \
                }                                                                                                      \
                last = best < 0 ? 0 : best; /* rows of NaN have no order */                                            \
                *values++ = input[last];                                                                               \
                *positions++ = last;                                                                                   \
            }                                                                                                          \
        }                                                                                                              \
    }

TS_TOPK_V2(s8, int8_t)
TS_TOPK_V2(s16, int16_t)
TS_TOPK_V2(s32, int32_t)
TS_TOPK_V2(f32, float)

#undef TS_TOPK_V2

#endif
