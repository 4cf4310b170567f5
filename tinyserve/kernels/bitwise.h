/* SPDX-License-Identifier: Apache-2.0 */
/* BITWISE_XOR and RIGHT_SHIFT with broadcasting. */
#ifndef TS_BITWISE_H
#define TS_BITWISE_H

#include <stdint.h>

#include "common/broadcast.h"

typedef struct {
    ts_broadcast broadcast;
} ts_bitwise_params;

/* Equal to LiteRT's bitwise_xor.cc and right_shift.cc: by 0 to all bits but the sign, which all compilers that we name
 * keep. */
#define TS_BITWISE(SUFFIX, T)                                                                                          \
    static inline T ts_xor_of_##SUFFIX(const ts_bitwise_params *p, T a, T b)                                           \
    {                                                                                                                  \
        (void)p;                                                                                                       \
        return (T)(a ^ b);                                                                                             \
    }                                                                                                                  \
    static inline T ts_shifted_##SUFFIX(const ts_bitwise_params *p, T a, T by)                                         \
    {                                                                                                                  \
        (void)p;                                                                                                       \
        const int32_t most = (int32_t)sizeof(T) * 8 - 1;                                                               \
        const int32_t bits = by < 0 ? 0 : (by > most ? most : by);                                                     \
        return (T)(a >> bits);                                                                                         \
    }                                                                                                                  \
    static inline void ts_bitwise_xor_##SUFFIX(const ts_bitwise_params *p, const T *input1, const T *input2,           \
                                               T *output)                                                              \
    {                                                                                                                  \
        TS_BROADCAST_FOR_EACH(T, T, ts_xor_of_##SUFFIX)                                                                \
    }                                                                                                                  \
    static inline void ts_right_shift_##SUFFIX(const ts_bitwise_params *p, const T *input1, const T *input2,           \
                                               T *output)                                                              \
    {                                                                                                                  \
        TS_BROADCAST_FOR_EACH(T, T, ts_shifted_##SUFFIX)                                                               \
    }

TS_BITWISE(s8, int8_t)
TS_BITWISE(s16, int16_t)
TS_BITWISE(s32, int32_t)

#undef TS_BITWISE

#endif
