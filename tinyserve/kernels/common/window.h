/* SPDX-License-Identifier: Apache-2.0 */
/* Which taps of a sliding window lie inside the image. */
#ifndef TS_COMMON_WINDOW_H
#define TS_COMMON_WINDOW_H

#include <stdint.h>

/* Taps begin <= tap < end read inside; tap t reads at origin + t * dilation. */
typedef struct {
    int32_t begin;
    int32_t end;
} ts_taps;

static inline ts_taps ts_taps_inside(int32_t origin, int32_t extent, int32_t taps, int32_t dilation)
{
    ts_taps inside = {0, taps};
    while (inside.begin < inside.end && origin + inside.begin * dilation < 0) {
        inside.begin++;
    }
    while (inside.end > inside.begin && origin + (inside.end - 1) * dilation >= extent) {
        inside.end--;
    }
    return inside;
}

#endif
