/* SPDX-License-Identifier: Apache-2.0 */
/* CAST: plain conversion of numbers, without quantization. Floats outside of the integer's range saturate. */
#ifndef TS_CAST_H
#define TS_CAST_H

#include <stdint.h>

#include "common/fixed_point.h"

typedef struct {
    int32_t elements;
} ts_cast_params;

#define TS_CAST_PLAIN(T, x) ((T)(x))
#define TS_CAST_TO_BOOL(T, x) ((T)((x) != 0))

/* Towards zero; NaN gives 0. */
static inline int32_t ts_cast_float(float x, int32_t low, int32_t high)
{
    if (x >= (float)high) {
        return high;
    }
    if (x <= (float)low) {
        return low;
    }
    return x != x ? 0 : (int32_t)x;
}

static inline uint32_t ts_cast_float_u32(float x)
{
    if (x >= 4294967296.0f) {
        return UINT32_MAX;
    }
    return x > 0.0f ? (uint32_t)x : 0; /* NaN, too */
}

static inline int64_t ts_cast_float_s64(float x)
{
    if (x >= 9223372036854775808.0f) {
        return INT64_MAX;
    }
    if (x <= -9223372036854775808.0f) {
        return -INT64_MAX - 1; /* INT64_MIN, which cppcheck takes for an unsigned constant */
    }
    return x != x ? 0 : (int64_t)x;
}

#define TS_CAST_F32_U32(T, x) ts_cast_float_u32(x)
#define TS_CAST_F32_S64(T, x) ts_cast_float_s64(x)

#define TS_CAST(FROM, TO, IN, OUT, HOW)                                                                                \
    static inline void ts_cast_##FROM##_##TO(const ts_cast_params *p, const IN *input, OUT *output)                    \
    {                                                                                                                  \
        for (int32_t i = 0; i < p->elements; i++) {                                                                    \
            output[i] = HOW(OUT, input[i]);                                                                            \
        }                                                                                                              \
    }

#define TS_CAST_TO_ALL(FROM, IN)                                                                                       \
    TS_CAST(FROM, s8, IN, int8_t, TS_CAST_PLAIN)                                                                       \
    TS_CAST(FROM, u8, IN, uint8_t, TS_CAST_PLAIN)                                                                      \
    TS_CAST(FROM, s16, IN, int16_t, TS_CAST_PLAIN)                                                                     \
    TS_CAST(FROM, s32, IN, int32_t, TS_CAST_PLAIN)                                                                     \
    TS_CAST(FROM, u32, IN, uint32_t, TS_CAST_PLAIN)                                                                    \
    TS_CAST(FROM, s64, IN, int64_t, TS_CAST_PLAIN)                                                                     \
    TS_CAST(FROM, f32, IN, float, TS_CAST_PLAIN)                                                                       \
    TS_CAST(FROM, b8, IN, uint8_t, TS_CAST_TO_BOOL)

TS_CAST_TO_ALL(s8, int8_t)
TS_CAST_TO_ALL(u8, uint8_t)
TS_CAST_TO_ALL(s16, int16_t)
TS_CAST_TO_ALL(s32, int32_t)
TS_CAST_TO_ALL(u32, uint32_t)
TS_CAST_TO_ALL(s64, int64_t)
TS_CAST_TO_ALL(b8, uint8_t)

#define TS_CAST_F32(TO, OUT, LOW, HIGH)                                                                                \
    static inline void ts_cast_f32_##TO(const ts_cast_params *p, const float *input, OUT *output)                      \
    {                                                                                                                  \
        for (int32_t i = 0; i < p->elements; i++) {                                                                    \
            output[i] = (OUT)ts_cast_float(input[i], LOW, HIGH);                                                       \
        }                                                                                                              \
    }

TS_CAST_F32(s8, int8_t, INT8_MIN, INT8_MAX)
TS_CAST_F32(u8, uint8_t, 0, UINT8_MAX)
TS_CAST_F32(s16, int16_t, INT16_MIN, INT16_MAX)
TS_CAST_F32(s32, int32_t, INT32_MIN, INT32_MAX)
TS_CAST(f32, u32, float, uint32_t, TS_CAST_F32_U32)
TS_CAST(f32, s64, float, int64_t, TS_CAST_F32_S64)
TS_CAST(f32, b8, float, uint8_t, TS_CAST_TO_BOOL)
TS_CAST(f32, f32, float, float, TS_CAST_PLAIN)

#undef TS_CAST
#undef TS_CAST_F32
#undef TS_CAST_TO_ALL
#undef TS_CAST_F32_U32
#undef TS_CAST_F32_S64
#undef TS_CAST_PLAIN
#undef TS_CAST_TO_BOOL

#endif
