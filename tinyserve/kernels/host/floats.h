/* SPDX-License-Identifier: Apache-2.0 */
/* float32 on the host: 16 output channels side by side, each with its sums in the order of the portable kernels, so
 * that the results have the same bits (built without contraction to fused multiply-adds). */
#ifndef TS_HOST_FLOATS_H
#define TS_HOST_FLOATS_H

#include <stdint.h>

#include "host/lanes.h"
#include "host/padded.h"

#if defined(__AVX512F__)
#define TS_HOST_FLOAT_BYTES 64
#elif defined(__AVX__)
#define TS_HOST_FLOAT_BYTES 32
#else
#define TS_HOST_FLOAT_BYTES 16
#endif
#define TS_HOST_PER_VECTOR (TS_HOST_FLOAT_BYTES / 4)
#define TS_HOST_VECTORS (TS_HOST_LANES / TS_HOST_PER_VECTOR)

typedef float ts_host_vector __attribute__((vector_size(TS_HOST_FLOAT_BYTES)));
typedef float ts_host_vector_anywhere __attribute__((vector_size(TS_HOST_FLOAT_BYTES), aligned(4), may_alias));
typedef struct {
    ts_host_vector part[TS_HOST_VECTORS];
} ts_floats;

TS_HOST_INLINE ts_floats ts_floats_load(const float *from)
{
    ts_floats all;
#pragma GCC unroll 4
    for (int32_t i = 0; i < TS_HOST_VECTORS; i++) {
        all.part[i] = *(const ts_host_vector_anywhere *)(const void *)(from + i * TS_HOST_PER_VECTOR);
    }
    return all;
}

/* sum + x * w, rounded twice. */
TS_HOST_INLINE ts_floats ts_floats_multiply_add(ts_floats sum, ts_floats x, ts_floats w)
{
#pragma GCC unroll 4
    for (int32_t i = 0; i < TS_HOST_VECTORS; i++) {
        sum.part[i] = sum.part[i] + x.part[i] * w.part[i];
    }
    return sum;
}

TS_HOST_INLINE ts_floats ts_floats_of(float value)
{
    const ts_host_vector zero = {0.0f};
    ts_floats all;
#pragma GCC unroll 4
    for (int32_t i = 0; i < TS_HOST_VECTORS; i++) {
        all.part[i] = value - zero;
    }
    return all;
}

/* The first count <= 16 of sum + bias, clamped; what is not a number stays so. */
TS_HOST_INLINE void ts_floats_store(ts_floats sum, const float *bias, float low, float high, float *to, int32_t count)
{
    float all[TS_HOST_LANES];
#pragma GCC unroll 4
    for (int32_t i = 0; i < TS_HOST_VECTORS; i++) {
        *(ts_host_vector_anywhere *)(void *)(all + i * TS_HOST_PER_VECTOR) = sum.part[i];
    }
    for (int32_t i = 0; i < TS_HOST_LANES; i++) {
        const float biased = all[i] + bias[i];
        const float raised = biased < low ? low : biased;
        all[i] = raised > high ? high : raised;
    }
    for (int32_t i = 0; i < count; i++) {
        to[i] = all[i];
    }
}

/* As ts_host_pad, of floats: the padding is zeros. */
static inline void ts_host_pad_f32(const ts_host_image *image, const float *input, float *padded)
{
    const int32_t row = image->width * image->channels, left = image->pad_left * image->channels;
    const int32_t padded_row = image->padded_width * image->channels;
    for (int32_t y = 0; y < image->padded_height; y++, padded += padded_row) {
        const int32_t from = y - image->pad_top;
        for (int32_t i = 0; i < padded_row; i++) {
            padded[i] = 0.0f;
        }
        if (from >= 0 && from < image->height) {
            for (int32_t i = 0; i < row; i++) {
                padded[left + i] = input[from * row + i];
            }
        }
    }
}

#endif
