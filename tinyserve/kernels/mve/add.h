/* SPDX-License-Identifier: Apache-2.0 */
/* ADD and SUB, int8, same shapes, for Helium: four elements at a time.
 *
 * Equals ts_add_s8 (and so TFLM's reference_integer_ops::Add) byte for byte; shifts are to the right or none.
 */
#ifndef TS_KERNELS_MVE_ADD_H
#define TS_KERNELS_MVE_ADD_H

#include <stdbool.h>

#include "../common/params.h"
#include "../common/sum_scaling.h"
#include "matmul.h"

typedef struct {
    int32_t elements;
    ts_activation activation;
    ts_sum_scaling scaling;
    bool subtract;
} ts_mve_add_params;

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

TS_MVE_INLINE void ts_mve_add_s8(const ts_mve_add_params *p, const int8_t *input1, const int8_t *input2, int8_t *output)
{
    const int32x4_t low = vdupq_n_s32(p->activation.min);
    const int32x4_t high = vdupq_n_s32(p->activation.max);
    for (int32_t left = p->elements; left > 0; left -= 4) {
        const mve_pred16_t lanes = vctp32q((uint32_t)left);
        int32x4_t a = vshlq_n_s32(vaddq_n_s32(vldrbq_z_s32(input1, lanes), p->scaling.offset1), 20);
        int32x4_t b = vshlq_n_s32(vaddq_n_s32(vldrbq_z_s32(input2, lanes), p->scaling.offset2), 20);
        a = ts_mve_requantize(a, p->scaling.factor1);
        b = ts_mve_requantize(b, p->scaling.factor2);
        int32x4_t sum = p->subtract ? vsubq_s32(a, b) : vaddq_s32(a, b);
        sum = vaddq_n_s32(ts_mve_requantize(sum, p->scaling.output_factor), p->scaling.output_offset);
        TS_STORE_LANES(vstrbq_p_s32, output, vminq_s32(vmaxq_s32(sum, low), high), lanes);
        input1 += 4;
        input2 += 4;
        output += 4;
    }
}

#endif
