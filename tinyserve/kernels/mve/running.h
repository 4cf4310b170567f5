/* SPDX-License-Identifier: Apache-2.0 */
/* Running sums of int8, each channel over up to 255 pixels, for Helium: eight channels at a time. */
#ifndef TS_MVE_RUNNING_H
#define TS_MVE_RUNNING_H

#include "../running.h"
#include "matmul.h"

/* Of 8 channels over the pixels. */
TS_MVE_INLINE int16x8_t ts_mve_running_eight(const ts_running_params *p, const int8_t *in, int16x8_t sum,
                                             mve_pred16_t lanes)
{
    for (int32_t left = p->shape.reduced[2]; left > 0; left--, in += p->shape.kept[2]) {
        sum = vaddq_s16(sum, vldrbq_z_s16(in, lanes));
    }
    return sum;
}

/* Equal to ts_running_sum_s8_s16 of the same rows. */
static inline void ts_mve_running_sum_s8_s16(const ts_running_params *p, const int8_t *input, int16_t *sums)
{
    for (int32_t c = 0; c < p->shape.kept[2]; c += 8) {
        const mve_pred16_t lanes = vctp16q((uint32_t)(p->shape.kept[2] - c));
        const int16x8_t before = p->begins ? vdupq_n_s16(0) : vldrhq_z_s16(sums + c, lanes);
        TS_STORE_LANES(vstrhq_p_s16, sums + c, ts_mve_running_eight(p, input + c, before, lanes), lanes);
    }
}

/* Equal to ts_running_sum_s8_s32 of the same rows. */
static inline void ts_mve_running_sum_s8_s32(const ts_running_params *p, const int8_t *input, int32_t *sums)
{
    int16_t these[8];
    for (int32_t c = 0; c < p->shape.kept[2]; c += 8) {
        const mve_pred16_t lanes = vctp16q((uint32_t)(p->shape.kept[2] - c));
        vstrhq_s16(these, ts_mve_running_eight(p, input + c, vdupq_n_s16(0), lanes));
        for (int32_t i = 0; i < 8 && c + i < p->shape.kept[2]; i++) {
            sums[c + i] = p->begins ? these[i] : ts_wrap_add(sums[c + i], these[i]);
        }
    }
}

#endif
