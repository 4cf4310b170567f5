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
#define TS_MIRROR_PAD(SUFFIX, T)                                                                        \
    static inline void ts_mirror_pad_##SUFFIX(const ts_mirror_pad_params *p, const T *input, T *output) \
    {                                                                                                   \
        const int32_t last = TS_MIRROR_PAD_RANK - 1;                                                    \
        const int32_t *columns = p->positions + p->starts[last];                                        \
        int32_t index[TS_MIRROR_PAD_RANK] = {0};                                                        \
        for (;;) {                                                                                      \
            const T *row = input;                                                                       \
            for (int32_t d = 0; d < last; d++) {                                                        \
                row += p->positions[p->starts[d] + index[d]];                                           \
            }                                                                                           \
            for (int32_t i = 0; i < p->shape[last]; i++) {                                              \
                *output++ = row[columns[i]];                                                            \
            }                                                                                           \
            int32_t d = last - 1;                                                                       \
            while (d >= 0 && ++index[d] == p->shape[d]) {                                               \
                index[d--] = 0;                                                                         \
            }                                                                                           \
            if (d < 0) {                                                                                \
                return;                                                                                 \
            }                                                                                           \
        }                                                                                               \
    }

TS_MIRROR_PAD(s8, int8_t)
TS_MIRROR_PAD(s16, int16_t)
TS_MIRROR_PAD(s32, int32_t)
TS_MIRROR_PAD(f32, float)

#undef TS_MIRROR_PAD

#endif
