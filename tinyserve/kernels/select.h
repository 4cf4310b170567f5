/* SPDX-License-Identifier: Apache-2.0 */
/* SELECT_V2: condition ? input1 : input2, all three broadcast to the output. */
#ifndef TS_SELECT_H
#define TS_SELECT_H

#include <stdint.h>

#define TS_SELECT_RANK 6

/* Strides in elements of condition, input1 and input2 along the output's dimensions (leading ones). */
typedef struct {
    int32_t shape[TS_SELECT_RANK];
    int32_t condition_strides[TS_SELECT_RANK];
    int32_t strides1[TS_SELECT_RANK];
    int32_t strides2[TS_SELECT_RANK];
} ts_select_params;

#define TS_SELECT(SUFFIX, T)                                                                                           \
    static inline void ts_select_##SUFFIX(const ts_select_params *p, const uint8_t *condition, const T *input1,        \
                                          const T *input2, T *output)                                                  \
    {                                                                                                                  \
        int32_t index[TS_SELECT_RANK] = {0};                                                                           \
        for (;;) {                                                                                                     \
            int32_t at = 0, at1 = 0, at2 = 0;                                                                          \
            for (int32_t d = 0; d < TS_SELECT_RANK; d++) {                                                             \
                at += index[d] * p->condition_strides[d];                                                              \
                at1 += index[d] * p->strides1[d];                                                                      \
                at2 += index[d] * p->strides2[d];                                                                      \
            }                                                                                                          \
            *output++ = condition[at] != 0 ? input1[at1] : input2[at2];                                                \
            int32_t d = TS_SELECT_RANK - 1;                                                                            \
            while (d >= 0 && ++index[d] == p->shape[d]) {                                                              \
                index[d--] = 0;                                                                                        \
            }                                                                                                          \
            if (d < 0) {                                                                                               \
                return;                                                                                                \
            }                                                                                                          \
        }                                                                                                              \
    }

TS_SELECT(s8, int8_t) /* also uint8 and bool */
TS_SELECT(s16, int16_t)
TS_SELECT(s32, int32_t)
TS_SELECT(s64, int64_t)
TS_SELECT(f32, float)

#undef TS_SELECT

#endif
