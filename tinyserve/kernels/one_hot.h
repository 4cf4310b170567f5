/* SPDX-License-Identifier: Apache-2.0 */
/* ONE_HOT: [outer][inner] indices to [outer][depth][inner] values, "on" where the index is, else "off". */
#ifndef TS_ONE_HOT_H
#define TS_ONE_HOT_H

#include <stdint.h>

typedef struct {
    int32_t outer, depth, inner;
} ts_one_hot_params;

/* An index outside of the depth is nowhere. */
#define TS_ONE_HOT(INDEX, I, SUFFIX, T)                                                                                \
    static inline void ts_one_hot_##INDEX##_##SUFFIX(const ts_one_hot_params *p, const I *indices, const T *on,        \
                                                     const T *off, T *output)                                          \
    {                                                                                                                  \
        for (int32_t o = 0; o < p->outer; o++, indices += p->inner) {                                                  \
            for (int32_t d = 0; d < p->depth; d++) {                                                                   \
                for (int32_t i = 0; i < p->inner; i++) {                                                               \
                    *output++ = indices[i] == d ? *on : *off;                                                          \
                }                                                                                                      \
            }                                                                                                          \
        }                                                                                                              \
    }

#define TS_ONE_HOT_OF(INDEX, I)                                                                                        \
    TS_ONE_HOT(INDEX, I, s8, int8_t)                                                                                   \
    TS_ONE_HOT(INDEX, I, s32, int32_t)                                                                                 \
    TS_ONE_HOT(INDEX, I, s64, int64_t)                                                                                 \
    TS_ONE_HOT(INDEX, I, b8, uint8_t)                                                                                  \
    TS_ONE_HOT(INDEX, I, f32, float)

TS_ONE_HOT_OF(s32, int32_t)
TS_ONE_HOT_OF(s64, int64_t)

#undef TS_ONE_HOT
#undef TS_ONE_HOT_OF

#endif
