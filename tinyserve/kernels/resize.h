/* SPDX-License-Identifier: Apache-2.0 */
/* RESIZE_NEAREST_NEIGHBOR and RESIZE_BILINEAR over [batches][height][width][channels]. */
#ifndef TS_RESIZE_H
#define TS_RESIZE_H

#include <stdint.h>

#include "common/copy.h"

#define TS_RESIZE_RUN 8 /* bytes of a pixel that are worth a copy by words */

typedef struct {
    int32_t batches, input_height, input_width, channels, output_height, output_width;
} ts_resize_images;

/* rows[y] and columns[x] are the input pixel that output pixel (y, x) is a copy of. */
typedef struct {
    ts_resize_images images;
    const uint16_t *rows;
    const uint16_t *columns;
} ts_resize_nearest_params;

/* Equal to TFLM's reference_ops::ResizeNearestNeighbor. Rows that repeat are copied from the output; pixels of some
 * bytes by words. */
#define TS_RESIZE_NEAREST(SUFFIX, T)                                                                                   \
    static inline T *ts_resize_nearest_row_##SUFFIX(const ts_resize_nearest_params *p, const T *row, T *output)        \
    {                                                                                                                  \
        const int32_t channels = p->images.channels;                                                                   \
        if (channels * (int32_t)sizeof(T) >= TS_RESIZE_RUN) {                                                          \
            for (int32_t x = 0; x < p->images.output_width; x++, output += channels) {                                 \
                ts_copy_bytes(output, row + p->columns[x] * channels, channels * (int32_t)sizeof(T));                  \
            }                                                                                                          \
            return output;                                                                                             \
        }                                                                                                              \
        for (int32_t x = 0; x < p->images.output_width; x++) {                                                         \
            const T *pixel = row + p->columns[x] * channels;                                                           \
            for (int32_t c = 0; c < channels; c++) {                                                                   \
                *output++ = pixel[c];                                                                                  \
            }                                                                                                          \
        }                                                                                                              \
        return output;                                                                                                 \
    }                                                                                                                  \
                                                                                                                       \
    static inline void ts_resize_nearest_##SUFFIX(const ts_resize_nearest_params *p, const T *input, T *output)        \
    {                                                                                                                  \
        const int32_t elements = p->images.output_width * p->images.channels;                                          \
        for (int32_t b = 0; b < p->images.batches; b++) {                                                              \
            for (int32_t y = 0; y < p->images.output_height; y++) {                                                    \
                if (y > 0 && p->rows[y] == p->rows[y - 1]) {                                                           \
                    ts_copy_bytes(output, output - elements, elements * (int32_t)sizeof(T));                           \
                    output += elements;                                                                                \
                    continue;                                                                                          \
                }                                                                                                      \
                const int32_t at = b * p->images.input_height + p->rows[y];                                            \
                const T *row = input + at * p->images.input_width * p->images.channels;                                \
                output = ts_resize_nearest_row_##SUFFIX(p, row, output);                                               \
            }                                                                                                          \
        }                                                                                                              \
    }

TS_RESIZE_NEAREST(s8, int8_t)
TS_RESIZE_NEAREST(s16, int16_t)
TS_RESIZE_NEAREST(f32, float)

#undef TS_RESIZE_NEAREST

/* Output row y lies between input rows low_rows[y] and high_rows[y], row_fractions[y] / 1024 from the first; likewise
 * columns. A fraction is negative before the first row. */
typedef struct {
    ts_resize_images images;
    const uint16_t *low_rows;
    const uint16_t *high_rows;
    const int16_t *row_fractions;
    const uint16_t *low_columns;
    const uint16_t *high_columns;
    const int16_t *column_fractions;
} ts_resize_bilinear_fixed_params;

/* Equal to TFLM's (int16: LiteRT's) reference_ops::ResizeBilinearInteger. SUM holds 2^20 times a value. */
#define TS_RESIZE_BILINEAR(SUFFIX, T, SUM)                                                                             \
    static inline void ts_resize_bilinear_##SUFFIX(const ts_resize_bilinear_fixed_params *p, const T *input,           \
                                                   T *output)                                                          \
    {                                                                                                                  \
        const int32_t row_elements = p->images.input_width * p->images.channels;                                       \
        for (int32_t b = 0; b < p->images.batches; b++, input += p->images.input_height * row_elements) {              \
            for (int32_t y = 0; y < p->images.output_height; y++) {                                                    \
                const T *low = input + p->low_rows[y] * row_elements;                                                  \
                const T *high = input + p->high_rows[y] * row_elements;                                                \
                const int32_t down = p->row_fractions[y];                                                              \
                for (int32_t x = 0; x < p->images.output_width; x++) {                                                 \
                    const int32_t left = p->low_columns[x] * p->images.channels,                                       \
                                  right = p->high_columns[x] * p->images.channels;                                     \
                    const int32_t across = p->column_fractions[x];                                                     \
                    for (int32_t c = 0; c < p->images.channels; c++) {                                                 \
                        const int32_t upper = low[left + c] * (1024 - across) + low[right + c] * across;               \
                        const int32_t lower = high[left + c] * (1024 - across) + high[right + c] * across;             \
                        const SUM sum = (SUM)upper * (1024 - down) + (SUM)lower * down;                                \
                        *output++ = (T)((sum + (sum > 0 ? 1 << 19 : -(1 << 19))) / (1 << 20));                         \
                    }                                                                                                  \
                }                                                                                                      \
            }                                                                                                          \
        }                                                                                                              \
    }

TS_RESIZE_BILINEAR(s8, int8_t, int32_t)
TS_RESIZE_BILINEAR(s16, int16_t, int64_t)

#undef TS_RESIZE_BILINEAR

typedef struct {
    ts_resize_images images;
    const uint16_t *low_rows;
    const uint16_t *high_rows;
    const float *row_fractions;
    const uint16_t *low_columns;
    const uint16_t *high_columns;
    const float *column_fractions;
} ts_resize_bilinear_f32_params;

/* float32, as TFLM's reference_ops::ResizeBilinear. */
static inline void ts_resize_bilinear_f32(const ts_resize_bilinear_f32_params *p, const float *input, float *output)
{
    const int32_t row_elements = p->images.input_width * p->images.channels;
    for (int32_t b = 0; b < p->images.batches; b++, input += p->images.input_height * row_elements) {
        for (int32_t y = 0; y < p->images.output_height; y++) {
            const float *low = input + p->low_rows[y] * row_elements;
            const float *high = input + p->high_rows[y] * row_elements;
            const float down = p->row_fractions[y];
            for (int32_t x = 0; x < p->images.output_width; x++) {
                const int32_t left = p->low_columns[x] * p->images.channels,
                              right = p->high_columns[x] * p->images.channels;
                const float across = p->column_fractions[x];
                for (int32_t c = 0; c < p->images.channels; c++) {
                    *output++ = low[left + c] * (1.0f - down) * (1.0f - across) +
                                high[left + c] * down * (1.0f - across) + low[right + c] * (1.0f - down) * across +
                                high[right + c] * down * across;
                }
            }
        }
    }
}

#endif
