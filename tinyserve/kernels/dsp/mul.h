/* SPDX-License-Identifier: Apache-2.0 */
/* MUL, int8, with broadcasting, by the high half of a product: Armv7E-M with DSP and later. Equals ts_mul_s8. */
#ifndef TS_DSP_MUL_H
#define TS_DSP_MUL_H

#include "../mul.h"
#include "scaled.h"

/* Products are below 2^17: no shift to the left by up to 12 takes them out of ts_dsp_scaled's range. */
static inline int32_t ts_dsp_mul_element(const ts_mul_quantized_params *p, int32_t a, int32_t b)
{
    const int32_t product = (a + p->offset1) * (b + p->offset2);
    return ts_activate(p->activation, ts_dsp_scaled(product, p->factor) + p->output_offset);
}

#define TS_DSP_MUL_S8(p, a, b) (int8_t) ts_dsp_mul_element(p, a, b)

static inline void ts_dsp_mul_s8(const ts_mul_quantized_params *p, const int8_t *input1, const int8_t *input2,
                                 int8_t *output)
{
    TS_BROADCAST_FOR_EACH(int8_t, int8_t, TS_DSP_MUL_S8)
}

#undef TS_DSP_MUL_S8

#endif
