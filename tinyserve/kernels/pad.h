/* SPDX-License-Identifier: Apache-2.0 */
/* PAD and PADV2: the input surrounded by a value. */
#ifndef TS_PAD_H
#define TS_PAD_H

#include <stdint.h>

#include "common/copy.h"

#define TS_PAD_RANK 6

/* before and after are numbers of elements along each dimension (leading dimensions of 1 have none). */
typedef struct {
    int32_t shape[TS_PAD_RANK]; /* of the input */
    int32_t before[TS_PAD_RANK];
    int32_t after[TS_PAD_RANK];
    int32_t value;
} ts_pad_params;

typedef struct {
    int32_t shape[TS_PAD_RANK];
    int32_t before[TS_PAD_RANK];
    int32_t after[TS_PAD_RANK];
    float value;
} ts_pad_f32_params;

static inline void ts_pad_copy_s8(int8_t *to, const int8_t *from, int32_t count)
{
    ts_copy_bytes(to, from, count);
}

static inline void ts_pad_fill_s8(int8_t *to, int8_t value, int32_t count)
{
    ts_fill_bytes(to, value, count);
}

static inline void ts_pad_copy_s16(int16_t *to, const int16_t *from, int32_t count)
{
    ts_copy_bytes(to, from, 2 * count);
}

static inline void ts_pad_fill_s16(int16_t *to, int16_t value, int32_t count)
{
    ts_fill_halves(to, value, count);
}

static inline void ts_pad_copy_s32(int32_t *to, const int32_t *from, int32_t count)
{
    ts_copy_words(to, from, count);
}

static inline void ts_pad_fill_s32(int32_t *to, int32_t value, int32_t count)
{
    ts_fill_words(to, (uint32_t)value, count);
}

static inline void ts_pad_copy_f32(float *to, const float *from, int32_t count)
{
    ts_copy_words(to, from, count);
}

static inline void ts_pad_fill_f32(float *to, float value, int32_t count)
{
    union {
        float value;
        uint32_t bits;
    } word;
    word.value = value;
    ts_fill_words(to, word.bits, count);
}

/* Writes the output in ascending order, row by row: `position` counts through the output's outer dimensions. */
#define TS_PAD(SUFFIX, T, PARAMS)                                                                                      \
    static inline void ts_pad_##SUFFIX(const PARAMS *p, const T *input, T *output)                                     \
    {                                                                                                                  \
        const int32_t last = TS_PAD_RANK - 1;                                                                          \
        int32_t position[TS_PAD_RANK] = {0};                                                                           \
        for (;;) {                                                                                                     \
            int inside = 1;                                                                                            \
            _Pragma("GCC unroll 6") for (int32_t d = 0; d < last; d++)                                                 \
            {                                                                                                          \
                inside = inside && position[d] >= p->before[d] && position[d] < p->before[d] + p->shape[d];            \
            }                                                                                                          \
            const int32_t copied = inside ? p->shape[last] : 0;                                                        \
            const int32_t behind = p->after[last] + (inside ? 0 : p->shape[last]);                                     \
            ts_pad_fill_##SUFFIX(output, (T)p->value, p->before[last]);                                                \
            ts_pad_copy_##SUFFIX(output + p->before[last], input, copied);                                             \
            input += copied;                                                                                           \
            output += p->before[last] + copied;                                                                        \
            ts_pad_fill_##SUFFIX(output, (T)p->value, behind);                                                         \
            output += behind;                                                                                          \
            int32_t d = last - 1;                                                                                      \
            _Pragma("GCC unroll 6") for (; d >= 0; d--)                                                                \
            {                                                                                                          \
                if (++position[d] < p->before[d] + p->shape[d] + p->after[d]) {                                        \
                    break;                                                                                             \
                }                                                                                                      \
                position[d] = 0;                                                                                       \
            }                                                                                                          \
            if (d < 0) {                                                                                               \
                return;                                                                                                \
            }                                                                                                          \
        }                                                                                                              \
    }

/* Equal to TFLM's reference_ops::Pad and PadImageStyle. */
TS_PAD(s8, int8_t, ts_pad_params)
TS_PAD(s16, int16_t, ts_pad_params)
TS_PAD(s32, int32_t, ts_pad_params)
TS_PAD(f32, float, ts_pad_f32_params)

#undef TS_PAD

/* PADV2 with a value that is computed at run time. */
#define TS_PAD_WITH(SUFFIX, T, PARAMS)                                                                                 \
    static inline void ts_pad_##SUFFIX##_with(const PARAMS *p, const T *input, const T *value, T *output)              \
    {                                                                                                                  \
        PARAMS with = *p;                                                                                              \
        with.value = *value;                                                                                           \
        ts_pad_##SUFFIX(&with, input, output);                                                                         \
    }

TS_PAD_WITH(s8, int8_t, ts_pad_params)
TS_PAD_WITH(s16, int16_t, ts_pad_params)
TS_PAD_WITH(s32, int32_t, ts_pad_params)
TS_PAD_WITH(f32, float, ts_pad_f32_params)

#undef TS_PAD_WITH

#endif
