/* SPDX-License-Identifier: Apache-2.0 */
/* FeatureFrames: overlapping frames of a stream of samples. */
#ifndef TS_FRAMES_H
#define TS_FRAMES_H

#include <stdint.h>

#include "common/fixed_point.h"

/* Samples of width values; frame k starts hop * k samples after the oldest that is kept. */
typedef struct {
    int32_t samples, width, frames, length, hop, kept;
} ts_frames_params;

/* input [samples][width] to output [frames][length][width]. State [kept][width]: the newest samples so far. */
#define TS_FRAMES(SUFFIX, T)                                                                                           \
    static inline void ts_frames_##SUFFIX(const ts_frames_params *p, const T *input, T *output, T *state)              \
    {                                                                                                                  \
        const int32_t length = p->length * p->width, kept = p->kept * p->width;                                        \
        for (int32_t frame = 0; frame < p->frames; frame++, output += length) {                                        \
            const int32_t start = frame * p->hop * p->width;                                                           \
            const int32_t older = ts_clamp(kept - start, 0, length);                                                   \
            for (int32_t i = 0; i < older; i++) {                                                                      \
                output[i] = state[start + i];                                                                          \
            }                                                                                                          \
            for (int32_t i = older; i < length; i++) {                                                                 \
                output[i] = input[start + i - kept];                                                                   \
            }                                                                                                          \
        }                                                                                                              \
        const int32_t given = p->samples * p->width;                                                                   \
        for (int32_t i = 0; i < kept; i++) {                                                                           \
            state[i] = given + i < kept ? state[given + i] : input[given + i - kept];                                  \
        }                                                                                                              \
    }

TS_FRAMES(s8, int8_t) /* also uint8 */
TS_FRAMES(s16, int16_t)
TS_FRAMES(f32, float)

#undef TS_FRAMES

#endif
