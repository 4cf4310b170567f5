/* SPDX-License-Identifier: Apache-2.0 */
/* MUL, int8, with broadcasting, for Helium: four elements at a time. Equals ts_mul_s8. */
#ifndef TS_MVE_MUL_H
#define TS_MVE_MUL_H

#include "../mul.h"
#include "scaled.h"

/* Four elements in a row, or one that is repeated. */
TS_MVE_INLINE int32x4_t ts_mve_row_s8(const int8_t *row, int32_t i, int32_t stride, mve_pred16_t lanes)
{
    return stride == 0 ? vdupq_n_s32(*row) : vldrbq_z_s32(row + i, lanes);
}

TS_MVE_INLINE void ts_mve_mul_s8(const ts_mul_quantized_params *p, const int8_t *input1, const int8_t *input2,
                                 int8_t *output)
{
    const int32x4_t low = vdupq_n_s32(p->activation.min), high = vdupq_n_s32(p->activation.max);
    int32_t index[TS_BROADCAST_RANK] = {0}, start1 = 0, start2 = 0;
    for (int32_t row = 0; row < p->broadcast.rows; row++, output += p->broadcast.row_length) {
        for (int32_t i = 0; i < p->broadcast.row_length; i += 4) {
            const mve_pred16_t lanes = vctp32q((uint32_t)(p->broadcast.row_length - i));
            const int32x4_t a =
                vaddq_n_s32(ts_mve_row_s8(input1 + start1, i, p->broadcast.row_stride1, lanes), p->offset1);
            const int32x4_t b =
                vaddq_n_s32(ts_mve_row_s8(input2 + start2, i, p->broadcast.row_stride2, lanes), p->offset2);
            const int32x4_t scaled = ts_mve_scaled(vmulq_s32(a, b), p->factor);
            const int32x4_t result = vaddq_n_s32(scaled, p->output_offset);
            TS_STORE_LANES(vstrbq_p_s32, output + i, vminq_s32(vmaxq_s32(result, low), high), lanes);
        }
        ts_broadcast_next(&p->broadcast, index, &start1, &start2);
    }
}

#endif
