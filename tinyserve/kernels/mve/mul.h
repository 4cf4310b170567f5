/* SPDX-License-Identifier: Apache-2.0 */
/* MUL with broadcasting, for Helium: four elements at a time. Equals ts_mul_s8 and ts_mul_s16. */
#ifndef TS_MVE_MUL_H
#define TS_MVE_MUL_H

#include "../mul.h"
#include "broadcast.h"
#include "scaled.h"

TS_MVE_INLINE int32x4_t ts_mve_product(const ts_mul_quantized_params *p, int32x4_t a, int32x4_t b)
{
    const int32x4_t product = vmulq_s32(vaddq_n_s32(a, p->offset1), vaddq_n_s32(b, p->offset2));
    const int32x4_t result = vaddq_n_s32(ts_mve_scaled(product, p->factor), p->output_offset);
    return vminq_s32(vmaxq_s32(result, vdupq_n_s32(p->activation.min)), vdupq_n_s32(p->activation.max));
}

TS_MVE_INLINE void ts_mve_mul_s8(const ts_mul_quantized_params *p, const int8_t *input1, const int8_t *input2,
                                 int8_t *output){TS_MVE_FOR_EACH_S8(ts_mve_product)}

TS_MVE_INLINE
    void ts_mve_mul_s16(const ts_mul_quantized_params *p, const int16_t *input1, const int16_t *input2, int16_t *output)
{
    TS_MVE_FOR_EACH_S16(ts_mve_product)
}

#endif
