/* SPDX-License-Identifier: Apache-2.0 */
/* FILL and ZEROS_LIKE: every element is one value, which is read at run time. */
#ifndef TS_FILL_H
#define TS_FILL_H

#include <stdint.h>

typedef struct {
    int32_t elements;
} ts_fill_params;

#define TS_FILL(SUFFIX, T)                                                                                             \
    static inline void ts_fill_##SUFFIX(const ts_fill_params *p, const T *value, T *output)                            \
    {                                                                                                                  \
        const T filled = *value;                                                                                       \
        for (int32_t i = 0; i < p->elements; i++) {                                                                    \
            output[i] = filled;                                                                                        \
        }                                                                                                              \
    }

TS_FILL(s8, int8_t) /* also uint8 and bool */
TS_FILL(s16, int16_t)
TS_FILL(s32, int32_t)
TS_FILL(s64, int64_t)
TS_FILL(f32, float)

#undef TS_FILL

#endif
