/* SPDX-License-Identifier: Apache-2.0 */
/* QUANTIZE and DEQUANTIZE, and requantization from one integer type to another. 8-bit to 8-bit is a lookup (unary.h).
 */
#ifndef TS_QUANTIZE_H
#define TS_QUANTIZE_H

#include <stdint.h>

#include "common/fixed_point.h"
#include "common/float_quotient.h"
#include "common/math.h"
#include "common/scale.h"

#if defined(__ARM_FEATURE_MVE)
#include "common/helium.h"
#endif

typedef struct {
    int32_t elements;
    float scale;
    int32_t zero_point;
} ts_quantize_f32_params;

/* round(input / scale) + zero_point, saturated, equal to TFLM's reference_ops::AffineQuantize. */
#if TS_FLOATS_FROM_INTEGERS
#define TS_QUANTIZE_BY_INTEGERS(T, LOW, HIGH)                                                                          \
    if (ts_divides_by_integers(p->scale)) {                                                                            \
        const ts_divisor divisor = ts_divisor_of(p->scale);                                                            \
        for (int32_t i = 0; i < p->elements; i++) {                                                                    \
            const int32_t low = LOW - p->zero_point, high = HIGH - p->zero_point;                                      \
            output[i] = (T)(p->zero_point + ts_rounded_quotient(input[i], &divisor, low, high));                       \
        }                                                                                                              \
        return;                                                                                                        \
    }
#else
#define TS_QUANTIZE_BY_INTEGERS(T, LOW, HIGH)
#endif

#define TS_QUANTIZE_F32(TO, T, LOW, HIGH)                                                                              \
    static inline void ts_quantize_f32_##TO(const ts_quantize_f32_params *p, const float *input, T *output)            \
    {                                                                                                                  \
        TS_QUANTIZE_BY_INTEGERS(T, LOW, HIGH)                                                                          \
        for (int32_t i = 0; i < p->elements; i++) {                                                                    \
            const int32_t low = LOW - p->zero_point, high = HIGH - p->zero_point;                                      \
            output[i] = (T)(p->zero_point + ts_round_to_int(input[i] / p->scale, low, high));                          \
        }                                                                                                              \
    }

TS_QUANTIZE_F32(s8, int8_t, INT8_MIN, INT8_MAX)
TS_QUANTIZE_F32(s16, int16_t, INT16_MIN, INT16_MAX)

#undef TS_QUANTIZE_F32
#undef TS_QUANTIZE_BY_INTEGERS

typedef struct {
    int32_t elements;
    int32_t input_offset, output_offset;
    ts_factor factor;
} ts_requantize_params;

static inline int32_t ts_requantize_element(const ts_requantize_params *p, int32_t value, int32_t low, int32_t high)
{
    const int32_t scaled = ts_requantize_by(ts_wrap_add(value, p->input_offset), p->factor);
    return ts_clamp(ts_wrap_add(scaled, p->output_offset), low, high);
}

/* Between integer types, equal to TFLM's reference_ops::Requantize. */
#define TS_REQUANTIZE(FROM, TO, IN, OUT, LOW, HIGH)                                                                    \
    static inline void ts_quantize_##FROM##_##TO(const ts_requantize_params *p, const IN *input, OUT *output)          \
    {                                                                                                                  \
        for (int32_t i = 0; i < p->elements; i++) {                                                                    \
            output[i] = (OUT)ts_requantize_element(p, input[i], LOW, HIGH);                                            \
        }                                                                                                              \
    }

TS_REQUANTIZE(s8, s16, int8_t, int16_t, INT16_MIN, INT16_MAX)
TS_REQUANTIZE(s8, s32, int8_t, int32_t, INT32_MIN, INT32_MAX)
TS_REQUANTIZE(s16, s8, int16_t, int8_t, INT8_MIN, INT8_MAX)
TS_REQUANTIZE(s16, s16, int16_t, int16_t, INT16_MIN, INT16_MAX)
TS_REQUANTIZE(s16, s32, int16_t, int32_t, INT32_MIN, INT32_MAX)
TS_REQUANTIZE(s32, s8, int32_t, int8_t, INT8_MIN, INT8_MAX)
TS_REQUANTIZE(s32, s16, int32_t, int16_t, INT16_MIN, INT16_MAX)

#undef TS_REQUANTIZE

typedef struct {
    int32_t elements;
    float scale;
    int32_t zero_point;
} ts_dequantize_params;

/* scale * (input - zero_point), equal to TFLM's reference_ops::Dequantize: the product of a float32 and at most 17 bits
 * is exact in the double that TFLM rounds, so rounding it at once is the same. */
#if defined(__ARM_FEATURE_MVE) && (__ARM_FEATURE_MVE & 2)
#define TS_DEQUANTIZE(FROM, IN)                                                                                        \
    static inline void ts_dequantize_##FROM(const ts_dequantize_params *p, const IN *input, float *output)             \
    {                                                                                                                  \
        const float scale = ts_scale(p->scale);                                                                        \
        for (int32_t left = p->elements; left > 0; left -= 4, input += 4, output += 4) {                               \
            const mve_pred16_t lanes = vctp32q((uint32_t)left);                                                        \
            const int32x4_t values = vsubq_n_s32(TS_WIDENED_##FROM(input, lanes), p->zero_point);                      \
            TS_STORE_LANES(vstrwq_p_f32, output, vmulq_n_f32(vcvtq_f32_s32(values), scale), lanes);                    \
        }                                                                                                              \
    }
#define TS_WIDENED_s8(from, lanes) vldrbq_z_s32(from, lanes)
#define TS_WIDENED_u8(from, lanes) vreinterpretq_s32_u32(vldrbq_z_u32(from, lanes))
#define TS_WIDENED_s16(from, lanes) vldrhq_z_s32(from, lanes)
#else
#define TS_DEQUANTIZE(FROM, IN)                                                                                        \
    static inline void ts_dequantize_##FROM(const ts_dequantize_params *p, const IN *input, float *output)             \
    {                                                                                                                  \
        for (int32_t i = 0; i < p->elements; i++) {                                                                    \
            output[i] = p->scale * (float)(input[i] - p->zero_point);                                                  \
        }                                                                                                              \
    }

#endif

TS_DEQUANTIZE(s8, int8_t)
TS_DEQUANTIZE(u8, uint8_t)
TS_DEQUANTIZE(s16, int16_t)

#undef TS_DEQUANTIZE
#if defined(__ARM_FEATURE_MVE) && (__ARM_FEATURE_MVE & 2)
#undef TS_WIDENED_s8
#undef TS_WIDENED_u8
#undef TS_WIDENED_s16
#endif

/* int32 values need the double's digits. */
static inline void ts_dequantize_s32(const ts_dequantize_params *p, const int32_t *input, float *output)
{
    for (int32_t i = 0; i < p->elements; i++) {
        output[i] = (float)((double)p->scale * ((double)input[i] - (double)p->zero_point));
    }
}

#endif
