/* SPDX-License-Identifier: Apache-2.0 */
/* FeatureScale: (x - offset) * factor in float32, of numbers of any type. */
#ifndef TS_SCALE_FEATURES_H
#define TS_SCALE_FEATURES_H

#include <stdint.h>

typedef struct {
    int32_t rows, width;
} ts_scale_features_params;

/* input [rows][width] to output of the same shape; offsets and factors: one of a row's width each, and for a width of 1
 * the same for all. */
#define TS_SCALE_FEATURES(SUFFIX, T)                                                                                   \
    static inline void ts_scale_features_##SUFFIX(const ts_scale_features_params *p, const T *input,                   \
                                                  const float *offsets, const float *factors, float *output)           \
    {                                                                                                                  \
        if (p->width == 1) {                                                                                           \
            const float offset = offsets[0], factor = factors[0];                                                      \
            const int32_t fours = p->rows & ~3;                                                                        \
            int32_t i = 0;                                                                                             \
            for (; i < fours; i += 4) {                                                                                \
                const float a = (float)input[i], b = (float)input[i + 1], c = (float)input[i + 2],                     \
                            d = (float)input[i + 3];                                                                   \
                output[i] = (a - offset) * factor;                                                                     \
                output[i + 1] = (b - offset) * factor;                                                                 \
                output[i + 2] = (c - offset) * factor;                                                                 \
                output[i + 3] = (d - offset) * factor;                                                                 \
            }                                                                                                          \
            for (; i < p->rows; i++) {                                                                                 \
                output[i] = ((float)input[i] - offset) * factor;                                                       \
            }                                                                                                          \
            return;                                                                                                    \
        }                                                                                                              \
        for (int32_t row = 0; row < p->rows; row++) {                                                                  \
            for (int32_t i = 0; i < p->width; i++) {                                                                   \
                *output++ = ((float)*input++ - offsets[i]) * factors[i];                                               \
            }                                                                                                          \
        }                                                                                                              \
    }

TS_SCALE_FEATURES(s8, int8_t)
TS_SCALE_FEATURES(u8, uint8_t)
TS_SCALE_FEATURES(s16, int16_t)
TS_SCALE_FEATURES(s32, int32_t)
TS_SCALE_FEATURES(f32, float)

#undef TS_SCALE_FEATURES

#endif
