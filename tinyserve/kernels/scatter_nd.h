/* SPDX-License-Identifier: Apache-2.0 */
/* SCATTER_ND: zeros, to which slices are added at positions that may be known at run time only. Positions outside of
 * their dimension add nothing. */
#ifndef TS_SCATTER_ND_H
#define TS_SCATTER_ND_H

#include <stdint.h>

#define TS_SCATTER_ND_RANK 6

/* positions [count][depth] choose slices of ``slice`` elements among ``elements``; extents and strides (in elements) by
 * dimension. */
typedef struct {
    int32_t count, depth, slice, elements;
    int32_t extents[TS_SCATTER_ND_RANK], strides[TS_SCATTER_ND_RANK];
} ts_scatter_nd_params;

/* Where a slice begins, or -1 outside. */
static inline int32_t ts_scatter_nd_place(const ts_scatter_nd_params *p, const int32_t *position)
{
    int32_t place = 0;
    for (int32_t d = 0; d < p->depth; d++) {
        if (position[d] < 0 || position[d] >= p->extents[d]) {
            return -1;
        }
        place += position[d] * p->strides[d];
    }
    return place;
}

#define TS_SCATTER_ND(SUFFIX, T, SUM)                                                                                  \
    static inline void ts_scatter_nd_##SUFFIX(const ts_scatter_nd_params *p, const int32_t *positions,                 \
                                              const T *updates, T *output)                                             \
    {                                                                                                                  \
        for (int32_t i = 0; i < p->elements; i++) {                                                                    \
            output[i] = 0;                                                                                             \
        }                                                                                                              \
        for (int32_t n = 0; n < p->count; n++, positions += p->depth, updates += p->slice) {                           \
            const int32_t place = ts_scatter_nd_place(p, positions);                                                   \
            for (int32_t i = 0; place >= 0 && i < p->slice; i++) {                                                     \
                output[place + i] = SUM(output[place + i], updates[i]);                                                \
            }                                                                                                          \
        }                                                                                                              \
    }

/* Sums wrap around, as LiteRT's. */
#define TS_SCATTER_ND_S8(a, b) (int8_t)(uint8_t)((uint8_t)(a) + (uint8_t)(b))
#define TS_SCATTER_ND_S32(a, b) (int32_t)((uint32_t)(a) + (uint32_t)(b))
#define TS_SCATTER_ND_F32(a, b) ((a) + (b))

TS_SCATTER_ND(s8, int8_t, TS_SCATTER_ND_S8)
TS_SCATTER_ND(s32, int32_t, TS_SCATTER_ND_S32)
TS_SCATTER_ND(f32, float, TS_SCATTER_ND_F32)

#undef TS_SCATTER_ND_S8
#undef TS_SCATTER_ND_S32
#undef TS_SCATTER_ND_F32
#undef TS_SCATTER_ND

#endif
