/* SPDX-License-Identifier: Apache-2.0 */
/* GATHER along one axis. Positions outside of the axis read its nearest end, never beyond the input. */
#ifndef TS_GATHER_H
#define TS_GATHER_H

#include <stdint.h>

#include "common/fixed_point.h"

/* Input [batches][outer][extent][inner], positions [batches][count], output [batches][outer][count][inner]. */
typedef struct {
    int32_t batches, outer, extent, inner, count;
} ts_gather_params;

#define TS_GATHER(SUFFIX, T)                                                                                           \
    static inline void ts_gather_##SUFFIX(const ts_gather_params *p, const T *input, const int32_t *positions,         \
                                          T *output)                                                                   \
    {                                                                                                                  \
        for (int32_t b = 0; b < p->batches; b++, positions += p->count) {                                              \
            for (int32_t o = 0; o < p->outer; o++, input += p->extent * p->inner) {                                    \
                for (int32_t k = 0; k < p->count; k++) {                                                               \
                    const T *row = input + ts_clamp(positions[k], 0, p->extent - 1) * p->inner;                        \
                    for (int32_t i = 0; i < p->inner; i++) {                                                           \
                        *output++ = row[i];                                                                            \
                    }                                                                                                  \
                }                                                                                                      \
            }                                                                                                          \
        }                                                                                                              \
    }

TS_GATHER(s8, int8_t) /* also uint8 and bool */
TS_GATHER(s16, int16_t)
TS_GATHER(s32, int32_t)
TS_GATHER(s64, int64_t)
TS_GATHER(f32, float)

#undef TS_GATHER

#endif
