/* SPDX-License-Identifier: Apache-2.0 */
/* MIRROR_PAD: the input surrounded by its own reflection. */
#ifndef TS_MIRROR_PAD_H
#define TS_MIRROR_PAD_H

#include <stdint.h>

#define TS_MIRROR_PAD_RANK 6

/* shape is the output's (leading ones); output position i along dimension d reads positions[starts[d] + i] elements
 * from the input's beginning. */
typedef struct {
    int32_t shape[TS_MIRROR_PAD_RANK];
    int32_t starts[TS_MIRROR_PAD_RANK];
    const int32_t *positions;
} ts_mirror_pad_params;

/* Equal to TFLM's MirrorPad. */
#define TS_MIRROR_PAD(SUFFIX, T)                                                                                       \
    static inline void ts_mirror_pad_##SUFFIX(const ts_mirror_pad_params *p, const T *input, T *output)                \
    {                                                                                                                  \
        const int32_t last = TS_MIRROR_PAD_RANK - 1;                                                                   \
        const int32_t *columns = p->positions + p->starts[last];                                                       \
        int32_t index[TS_MIRROR_PAD_RANK] = {0};                                                                       \
        for (;;) {                                                                                                     \
            const T *row = input;                                                                                      \
            for (int32_t d = 0; d < last; d++) {                                                                       \
                row += p->positions[p->starts[d] + index[d]];                                                          \
            }                                                                                                          \
            for (int32_t i = 0; i < p->shape[last]; i++) {                                                             \
                *output++ = row[columns[i]];                                                                           \
            }                                                                                                          \
            int32_t d = last - 1;                                                                                      \
            while (d >= 0 && ++index[d] == p->shape[d]) {                                                              \
                index[d--] = 0;                                                                                        \
            }                                                                                                          \
            if (d < 0) {                                                                                               \
                return;                                                                                                \
            }                                                                                                          \
        }                                                                                                              \
    }

TS_MIRROR_PAD(s8, int8_t)
TS_MIRROR_PAD(s16, int16_t)
TS_MIRROR_PAD(s32, int32_t)
TS_MIRROR_PAD(f32, float)

#undef TS_MIRROR_PAD

/* The paddings are computed at run time. own is 1 where the border is the mirror (reflect), 0 where it is repeated. All
 * shapes have leading ones; the last rank dimensions are padded. */
typedef struct {
    int32_t rank, own;
    int32_t input_shape[TS_MIRROR_PAD_RANK], output_shape[TS_MIRROR_PAD_RANK], strides[TS_MIRROR_PAD_RANK];
} ts_mirror_pad_at_params;

/* The input position that an output position mirrors, as in TFLM's GetInputDimension: behind the last mirrored position
 * it is 0, before the first it would be beyond the input, which is -1 here. */
static inline int64_t ts_mirror_pad_source(int64_t from, int32_t extent, int32_t own)
{
    if (from < 0) {
        const int64_t source = own - 1 - from;
        return source < extent ? source : -1;
    }
    const int64_t mirrored = (int64_t)2 * extent - 1 - own - from;
    return from < extent ? from : mirrored > 0 ? mirrored : 0;
}

/* Where an output position lies in the input, no further away than any tensor is large. */
static inline int64_t ts_mirror_pad_from(int32_t position, int64_t before)
{
    const int64_t far = (int64_t)1 << 40;
    return position - (before < -far ? -far : before > far ? far : before);
}

/* The element that index mirrors, -1 where there is none. */
#define TS_MIRROR_PAD_ELEMENT(NAME, POSITION)                                                                          \
    static inline int64_t ts_mirror_pad_element_##NAME(const ts_mirror_pad_at_params *p, const int32_t *index,         \
                                                       const POSITION *paddings)                                       \
    {                                                                                                                  \
        int64_t element = 0;                                                                                           \
        for (int32_t d = TS_MIRROR_PAD_RANK - p->rank; d < TS_MIRROR_PAD_RANK; d++, paddings += 2) {                   \
            const int64_t source =                                                                                     \
                ts_mirror_pad_source(ts_mirror_pad_from(index[d], *paddings), p->input_shape[d], p->own);              \
            if (source < 0) {                                                                                          \
                return -1;                                                                                             \
            }                                                                                                          \
            element += source * p->strides[d];                                                                         \
        }                                                                                                              \
        return element;                                                                                                \
    }

TS_MIRROR_PAD_ELEMENT(s32, int32_t)
TS_MIRROR_PAD_ELEMENT(s64, int64_t)

#undef TS_MIRROR_PAD_ELEMENT

/* Equal to TFLM's MirrorPad; outputs that would mirror what is beyond the input are 0. */
#define TS_MIRROR_PAD_AT(SUFFIX, T, NAME, POSITION)                                                                    \
    static inline void ts_mirror_pad_##SUFFIX##_at_##NAME(const ts_mirror_pad_at_params *p, const T *input,            \
                                                          const POSITION *paddings, T *output)                         \
    {                                                                                                                  \
        int32_t index[TS_MIRROR_PAD_RANK] = {0}, d;                                                                    \
        do {                                                                                                           \
            const int64_t element = ts_mirror_pad_element_##NAME(p, index, paddings);                                  \
            *output = 0;                                                                                               \
            if (element >= 0) {                                                                                        \
                *output = input[element];                                                                              \
            }                                                                                                          \
            output++;                                                                                                  \
            d = TS_MIRROR_PAD_RANK - 1;                                                                                \
            while (d >= 0 && ++index[d] == p->output_shape[d]) {                                                       \
                index[d--] = 0;                                                                                        \
            }                                                                                                          \
        } while (d >= 0);                                                                                              \
    }

#define TS_MIRROR_PAD(SUFFIX, T)                                                                                       \
    TS_MIRROR_PAD_AT(SUFFIX, T, s32, int32_t)                                                                          \
    TS_MIRROR_PAD_AT(SUFFIX, T, s64, int64_t)

TS_MIRROR_PAD(s8, int8_t)
TS_MIRROR_PAD(s16, int16_t)
TS_MIRROR_PAD(s32, int32_t)
TS_MIRROR_PAD(f32, float)

#undef TS_MIRROR_PAD
#undef TS_MIRROR_PAD_AT

#endif
