/* SPDX-License-Identifier: Apache-2.0 */
/* BATCH_MATMUL: dot products of four rows at a time with VMLADAV, for Helium. */
#ifndef TS_MVE_BATCH_MATMUL_H
#define TS_MVE_BATCH_MATMUL_H

#include "../by_dots/batch_matmul.h"
#include "dots.h"
#include "scaled.h"

/* Four at a time; sums are of a whole block. */
TS_MVE_INLINE void ts_mve_matmul_results(const ts_batch_matmul_by_dots_params *p, const int32_t *sums, int32_t start,
                                         const int32_t *right_sums, int32_t count, int8_t *output)
{
    const int32x4_t low = vdupq_n_s32(INT8_MIN), high = vdupq_n_s32(INT8_MAX);
    for (int32_t i = 0; i < count; i += 4) {
        const mve_pred16_t lanes = vctp32q((uint32_t)(count - i));
        int32x4_t sum = vaddq_n_s32(vldrwq_s32(sums + i), start);
        if (p->left_offset != 0) {
            sum = vmlaq_n_s32(sum, vldrwq_z_s32(right_sums + i, lanes), p->left_offset);
        }
        sum = vaddq_n_s32(ts_mve_scaled(sum, p->factor), p->output_offset);
        TS_STORE_LANES(vstrbq_p_s32, output + i, vminq_s32(vmaxq_s32(sum, low), high), lanes);
    }
}

TS_BATCH_MATMUL_BY_DOTS(mve, ts_mve_dots_s8, ts_mve_matmul_results)

#endif
