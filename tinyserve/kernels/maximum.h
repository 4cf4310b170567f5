/* SPDX-License-Identifier: Apache-2.0 */
/* MAXIMUM and MINIMUM with broadcasting. Quantized operands and the output share scale and zero point. */
#ifndef TS_MAXIMUM_H
#define TS_MAXIMUM_H

#include <stdint.h>

#include "common/broadcast.h"

typedef struct {
    ts_broadcast broadcast;
} ts_maximum_params;

#define TS_MAXIMUM_OF(p, a, b) ((a) > (b) ? (a) : (b))
#define TS_MINIMUM_OF(p, a, b) ((a) < (b) ? (a) : (b))

/* Equal to TFLM's reference_ops::MaximumMinimumBroadcastSlow. */
#define TS_MAXIMUM(SUFFIX, T)                                                                                          \
    static inline void ts_maximum_##SUFFIX(const ts_maximum_params *p, const T *input1, const T *input2, T *output)    \
    {                                                                                                                  \
        TS_BROADCAST_FOR_EACH(T, T, TS_MAXIMUM_OF)                                                                     \
    }                                                                                                                  \
    static inline void ts_minimum_##SUFFIX(const ts_maximum_params *p, const T *input1, const T *input2, T *output)    \
    {                                                                                                                  \
        TS_BROADCAST_FOR_EACH(T, T, TS_MINIMUM_OF)                                                                     \
    }

TS_MAXIMUM(s8, int8_t)
TS_MAXIMUM(s16, int16_t)
TS_MAXIMUM(s32, int32_t)
TS_MAXIMUM(s64, int64_t)
TS_MAXIMUM(f32, float)

#undef TS_MAXIMUM
#undef TS_MAXIMUM_OF
#undef TS_MINIMUM_OF

#endif
