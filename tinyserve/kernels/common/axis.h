/* SPDX-License-Identifier: Apache-2.0 */
/* Axes that are computed at run time. The shapes around them are known when compiling. */
#ifndef TS_COMMON_AXIS_H
#define TS_COMMON_AXIS_H

#include <stdint.h>

#define TS_AXIS_RANK 6

/* A tensor as [outer][extent][inner]. */
typedef struct {
    int32_t outer, extent, inner;
} ts_axis;

/* The tensor around an axis, which may count from the back; an extent of 0 for an axis that there is not. */
static inline ts_axis ts_axis_of(int32_t axis, int32_t rank, const int32_t *shape)
{
    ts_axis found = {1, 0, 1};
    const int32_t from_front = axis < 0 ? axis + rank : axis;
    for (int32_t d = 0; d < rank; d++) {
        if (d < from_front) {
            found.outer *= shape[d];
        } else if (d > from_front) {
            found.inner *= shape[d];
        } else {
            found.extent = shape[d];
        }
    }
    return found;
}

/* A bit for each of the axes, 0 where one of them is none of the tensor's. */
static inline uint32_t ts_axis_set(const int32_t *axes, int32_t count, int32_t rank)
{
    uint32_t set = 0;
    for (int32_t i = 0; i < count; i++) {
        const int32_t from_front = axes[i] < 0 ? axes[i] + rank : axes[i];
        if (from_front < 0 || from_front >= rank) {
            return 0;
        }
        set |= (uint32_t)1 << from_front;
    }
    return set;
}

#endif
