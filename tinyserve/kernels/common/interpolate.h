/* SPDX-License-Identifier: Apache-2.0 */
/* Functions of int16 as tables of 513 samples over the range of int16. */
#ifndef TS_COMMON_INTERPOLATE_H
#define TS_COMMON_INTERPOLATE_H

#include <stdint.h>

/* The function at value, between the two nearest samples: TFLM's LUTLookup for int16. */
static inline int16_t ts_interpolate_s16(const int16_t *table, int32_t value)
{
    const int32_t index = 256 + (value >> 7);
    const int32_t slope = (int16_t)(table[index + 1] - table[index]);
    return (int16_t)(table[index] + ((slope * (value & 0x7f) + 64) >> 7));
}

#endif
