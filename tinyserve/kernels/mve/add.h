/* SPDX-License-Identifier: Apache-2.0 */
/* ADD and SUB with broadcasting, for Helium: four elements at a time. Equal ts_add_s8 and ts_add_s16 (and so TFLM's
 * reference_integer_ops::Add) byte for byte; shifts are to the right or none.
 */
#ifndef TS_KERNELS_MVE_ADD_H
#define TS_KERNELS_MVE_ADD_H

#include "../add.h"
#include "broadcast.h"

/* MultiplyByQuantizedMultiplier for a shift of 0 or less. */
TS_MVE_INLINE int32x4_t ts_mve_requantize(int32x4_t value, ts_factor factor)
{
    value = vqrdmulhq_n_s32(value, factor.multiplier);
    if (factor.shift != 0) {
        value = vaddq_s32(value, vshrq_n_s32(value, 31));
        value = vrshlq_n_s32(value, factor.shift);
    }
    return value;
}

/* Of inputs without their zero points, shifted to the left. */
TS_MVE_INLINE int32x4_t ts_mve_sum(const ts_add_quantized_params *p, int32x4_t a, int32x4_t b)
{
    a = ts_mve_requantize(a, p->scaling.factor1);
    b = ts_mve_requantize(b, p->scaling.factor2);
    const int32x4_t sum = p->subtract ? vsubq_s32(a, b) : vaddq_s32(a, b);
    const int32x4_t result = vaddq_n_s32(ts_mve_requantize(sum, p->scaling.output_factor), p->scaling.output_offset);
    return vminq_s32(vmaxq_s32(result, vdupq_n_s32(p->activation.min)), vdupq_n_s32(p->activation.max));
}

/* The shift that each type has: an immediate saves a register. */
#define TS_MVE_SUM(BITS, p, a, b)                                                                                      \
    ts_mve_sum(p, vshlq_n_s32(vaddq_n_s32(a, p->scaling.offset1), BITS),                                               \
               vshlq_n_s32(vaddq_n_s32(b, p->scaling.offset2), BITS))
#define TS_MVE_SUM_S8(p, a, b) TS_MVE_SUM(20, p, a, b)
#define TS_MVE_SUM_S16(p, a, b) TS_MVE_SUM(15, p, a, b)

TS_MVE_INLINE void ts_mve_add_s8(const ts_add_quantized_params *p, const int8_t *input1, const int8_t *input2,
                                 int8_t *output){TS_MVE_FOR_EACH_S8(TS_MVE_SUM_S8)}

TS_MVE_INLINE
    void ts_mve_add_s16(const ts_add_quantized_params *p, const int16_t *input1, const int16_t *input2, int16_t *output)
{
    TS_MVE_FOR_EACH_S16(TS_MVE_SUM_S16)
}

#undef TS_MVE_SUM_S8
#undef TS_MVE_SUM_S16
#undef TS_MVE_SUM

#endif
