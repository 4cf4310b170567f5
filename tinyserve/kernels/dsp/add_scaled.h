/* SPDX-License-Identifier: Apache-2.0 */
/* ADD and SUB, int8, with broadcasting and without a table, by high halves of products: Armv7E-M with DSP and later.
 * Equals ts_add_s8. */
#ifndef TS_DSP_ADD_SCALED_H
#define TS_DSP_ADD_SCALED_H

#include "../add.h"
#include "scaled.h"

/* Inputs are below 2^28 once shifted, and halved at least: no sum leaves ts_dsp_scaled's range. */
static inline int32_t ts_dsp_add_element(const ts_add_quantized_params *p, int32_t a, int32_t b)
{
    const ts_sum_scaling *const s = &p->scaling;
    const int32_t scaled1 = ts_dsp_scaled((int32_t)((uint32_t)(a + s->offset1) << s->left_shift), s->factor1);
    const int32_t scaled2 = ts_dsp_scaled((int32_t)((uint32_t)(b + s->offset2) << s->left_shift), s->factor2);
    const int32_t sum = p->subtract ? scaled1 - scaled2 : scaled1 + scaled2;
    return ts_activate(p->activation, ts_dsp_scaled(sum, s->output_factor) + s->output_offset);
}

#define TS_DSP_ADD_S8(p, a, b) (int8_t) ts_dsp_add_element(p, a, b)

/* In each layer: with its shifts known an element takes 25 instructions, without 95. */
static inline __attribute__((always_inline)) void
ts_dsp_add_scaled_s8(const ts_add_quantized_params *p, const int8_t *input1, const int8_t *input2, int8_t *output)
{
    TS_BROADCAST_FOR_EACH(int8_t, int8_t, TS_DSP_ADD_S8)
}

#undef TS_DSP_ADD_S8

#endif
