/* SPDX-License-Identifier: Apache-2.0 */
/* POW with broadcasting: input1 to the power of input2. */
#ifndef TS_POW_H
#define TS_POW_H

#include <stdint.h>

#include "common/broadcast.h"
#include "common/power.h"

typedef struct {
    ts_broadcast broadcast;
} ts_pow_params;

#define TS_POW_S32(p, a, b) ts_pow_integer(a, b)
#define TS_POW_F32(p, a, b) ts_powf(a, b)

static inline void ts_pow_s32(const ts_pow_params *p, const int32_t *input1, const int32_t *input2, int32_t *output)
{
    TS_BROADCAST_FOR_EACH(int32_t, int32_t, TS_POW_S32)
}

static inline void ts_pow_f32(const ts_pow_params *p, const float *input1, const float *input2, float *output)
{
    TS_BROADCAST_FOR_EACH(float, float, TS_POW_F32)
}

#undef TS_POW_S32
#undef TS_POW_F32

#endif
