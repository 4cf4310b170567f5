/* SPDX-License-Identifier: Apache-2.0 */
/* PRELU: input where it is not negative, else input * alpha. The two broadcast. */
#ifndef TS_PRELU_H
#define TS_PRELU_H

#include <stdint.h>

#include "common/broadcast.h"
#include "common/fixed_point.h"

/* Offsets are negated zero points. */
typedef struct {
    ts_broadcast broadcast;
    int32_t input_offset, alpha_offset, output_offset;
    ts_factor factor;          /* of values from zero up */
    ts_factor negative_factor; /* of value times alpha */
} ts_prelu_quantized_params;

static inline int32_t ts_prelu_element(const ts_prelu_quantized_params *p, int32_t a, int32_t alpha)
{
    const int32_t value = a + p->input_offset;
    const int32_t scaled = value >= 0 ? ts_requantize_by(value, p->factor)
                                      : ts_requantize_by(value * (alpha + p->alpha_offset), p->negative_factor);
    return ts_wrap_add(scaled, p->output_offset);
}

#define TS_PRELU_S8(p, a, b) (int8_t) ts_clamp(ts_prelu_element(p, a, b), INT8_MIN, INT8_MAX)
#define TS_PRELU_S16(p, a, b) (int16_t) ts_clamp(ts_prelu_element(p, a, b), INT16_MIN, INT16_MAX)
#define TS_PRELU_F32(p, a, b) ((a) >= 0.0f ? (a) : (a) * (b))

/* int8, equal to TFLM's reference_ops::Prelu and BroadcastPrelu4DSlow. */
static inline void ts_prelu_s8(const ts_prelu_quantized_params *p, const int8_t *input1, const int8_t *input2,
                               int8_t *output)
{
    TS_BROADCAST_FOR_EACH(int8_t, int8_t, TS_PRELU_S8)
}

/* int16 with int8 alpha, likewise. */
static inline void ts_prelu_s16(const ts_prelu_quantized_params *p, const int16_t *input1, const int8_t *input2,
                                int16_t *output)
{
    TS_BROADCAST_FOR_EACH(int16_t, int8_t, TS_PRELU_S16)
}

typedef struct {
    ts_broadcast broadcast;
} ts_prelu_f32_params;

static inline void ts_prelu_f32(const ts_prelu_f32_params *p, const float *input1, const float *input2, float *output)
{
    TS_BROADCAST_FOR_EACH(float, float, TS_PRELU_F32)
}

#undef TS_PRELU_S8
#undef TS_PRELU_S16
#undef TS_PRELU_F32

#endif
