/* SPDX-License-Identifier: Apache-2.0 */
/* Requantization of four values by one multiplier. */
#ifndef TS_MVE_SCALED_H
#define TS_MVE_SCALED_H

#include "matmul.h"

/* ts_requantize of four. */
TS_MVE_INLINE int32x4_t ts_mve_scaled(int32x4_t value, ts_factor factor)
{
    if (factor.shift > 0) {
        return vqrdmulhq_n_s32(vshlq_r_s32(value, factor.shift), factor.multiplier);
    }
    value = vqrdmulhq_n_s32(value, factor.multiplier);
    if (factor.shift < 0) {
        value = vrshlq_n_s32(vaddq_s32(value, vshrq_n_s32(value, 31)), factor.shift);
    }
    return value;
}

#endif
