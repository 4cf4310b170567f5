/* SPDX-License-Identifier: Apache-2.0 */
/* ADD and SUB, int8, one shape, for RV32M: one input by a shift, what the other contributes by a table of its bytes.
 *
 * Equals ts_add_s8 (and so TFLM's reference_integer_ops::Add) byte for byte where one input's factor is 1/2 and the
 * output's shift is to the right: tinyserve/variants/sums.py checks both. */
#ifndef TS_KERNELS_RV32M_ADD_H
#define TS_KERNELS_RV32M_ADD_H

#include "../common/params.h"
#include "requantize.h"

typedef struct {
    int32_t elements;
    const int32_t *table; /* twice the part of the sum that is not the first input's value; by the byte of the second */
    ts_rv32m_channel scaling;
    ts_activation activation;
} ts_rv32m_add_params;

/* input1 is the one that is halved. */
static inline void ts_rv32m_add_s8(const ts_rv32m_add_params *p, const int8_t *input1, const int8_t *input2,
                                   int8_t *output)
{
    for (const int8_t *const end = input1 + p->elements; input1 != end; input1++, input2++, output++) {
        const int32_t doubled = *input1 * (1 << 20) + p->table[(uint8_t)*input2];
        *output = ts_rv32m_requantize_doubled(doubled, &p->scaling, p->activation);
    }
}

#endif
