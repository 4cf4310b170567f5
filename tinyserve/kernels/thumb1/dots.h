/* SPDX-License-Identifier: Apache-2.0 */
/* Dot products of int8 rows, `depth` bytes apart, with one vector: sums[i] of row i. See dots.S. */
#ifndef TS_THUMB1_DOTS_H
#define TS_THUMB1_DOTS_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

void ts_thumb1_dots_s8(const int8_t *rows, const int8_t *vector, int32_t *sums, int32_t count, int32_t depth);
void ts_thumb1_dots_s16(const int8_t *rows, const int16_t *vector, int32_t *sums, int32_t count, int32_t depth);

#ifdef __cplusplus
}
#endif

#endif
