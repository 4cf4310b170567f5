/* SPDX-License-Identifier: Apache-2.0 */
/* Sums of products of int8 with four rows of weights at a time, which share the loads of the inputs: what a core's
 * registers hold, be it Cortex-M3 or Xtensa. */
#ifndef TS_COMMON_FOUR_ROWS_H
#define TS_COMMON_FOUR_ROWS_H

#include <stdint.h>

#define TS_ROWS 4

/* Where the second, third and fourth row lie after the first; beyond the last of `count` rows it is the first again. */
typedef struct {
    int32_t second, third, fourth;
} ts_row_places;

static inline ts_row_places ts_four_rows(int32_t count, int32_t bytes)
{
    const ts_row_places places = {count > 1 ? bytes : 0, count > 2 ? 2 * bytes : 0, count > 3 ? 3 * bytes : 0};
    return places;
}

/* sums[r] += sum of row r times (input + offset), over a run of both. */
static inline void ts_add_four_rows_s8(int32_t sums[TS_ROWS], const int8_t *rows, ts_row_places places,
                                       const int8_t *input, int32_t offset, int32_t run)
{
    const int8_t *const second = rows + places.second, *const third = rows + places.third,
                        *const fourth = rows + places.fourth;
    int32_t a = sums[0], b = sums[1], c = sums[2], d = sums[3];
#pragma GCC unroll 4
    for (int32_t i = 0; i < run; i++) {
        const int32_t x = input[i] + offset;
        a += rows[i] * x;
        b += second[i] * x;
        c += third[i] * x;
        d += fourth[i] * x;
    }
    sums[0] = a;
    sums[1] = b;
    sums[2] = c;
    sums[3] = d;
}

#endif
