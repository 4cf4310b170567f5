/* SPDX-License-Identifier: Apache-2.0 */
/* Rows chosen by positions that are known at run time: GATHER_ND, EMBEDDING_LOOKUP and DYNAMIC_UPDATE_SLICE. Positions
 * outside of their dimension mean its nearest end, never memory beyond. */
#ifndef TS_GATHER_ND_H
#define TS_GATHER_ND_H

#include <stdint.h>

#include "common/fixed_point.h"
#include "common/scale.h"

#define TS_GATHER_ND_RANK 6

/* positions [count][depth] choose slices of ``slice`` elements; extents and strides (in elements) by dimension. */
typedef struct {
    int32_t count, depth, slice;
    int32_t extents[TS_GATHER_ND_RANK], strides[TS_GATHER_ND_RANK];
} ts_gather_nd_params;

#define TS_GATHER_ND(SUFFIX, T)                                                                                        \
    static inline void ts_gather_nd_##SUFFIX(const ts_gather_nd_params *p, const T *input, const int32_t *positions,   \
                                             T *output)                                                                \
    {                                                                                                                  \
        for (int32_t n = 0; n < p->count; n++, positions += p->depth) {                                                \
            const T *from = input;                                                                                     \
            for (int32_t d = 0; d < p->depth; d++) {                                                                   \
                from += ts_clamp(positions[d], 0, p->extents[d] - 1) * p->strides[d];                                  \
            }                                                                                                          \
            for (int32_t i = 0; i < p->slice; i++) {                                                                   \
                *output++ = from[i];                                                                                   \
            }                                                                                                          \
        }                                                                                                              \
    }

TS_GATHER_ND(s8, int8_t)
TS_GATHER_ND(f32, float)

#undef TS_GATHER_ND

/* int8 rows as float32. */
typedef struct {
    int32_t count, rows, columns;
    float scale;
} ts_embedding_lookup_params;

static inline void ts_embedding_lookup_s8_f32(const ts_embedding_lookup_params *p, const int32_t *positions,
                                              const int8_t *table, float *output)
{
    const float scale = ts_scale(p->scale);
    for (int32_t n = 0; n < p->count; n++) {
        const int8_t *row = table + ts_clamp(positions[n], 0, p->rows - 1) * p->columns;
        for (int32_t i = 0; i < p->columns; i++) {
            *output++ = (float)row[i] * scale;
        }
    }
}

/* Writes update (extents update_extents) into output, of which it leaves the rest alone, where start says. */
typedef struct {
    int32_t rank, elements;
    int32_t extents[TS_GATHER_ND_RANK], strides[TS_GATHER_ND_RANK], update_extents[TS_GATHER_ND_RANK];
} ts_dynamic_update_slice_params;

static inline int32_t ts_dynamic_update_slice_start(int64_t start, int32_t last)
{
    return start < 0 ? 0 : start < last ? (int32_t)start : last;
}

#define TS_DYNAMIC_UPDATE_SLICE(SUFFIX, T, POSITION)                                                                   \
    static inline void ts_dynamic_update_slice_##SUFFIX(const ts_dynamic_update_slice_params *p, const T *update,      \
                                                        const POSITION *start, T *output)                              \
    {                                                                                                                  \
        int32_t index[TS_GATHER_ND_RANK] = {0};                                                                        \
        for (int32_t d = 0; d < p->rank; d++) {                                                                        \
            output += ts_dynamic_update_slice_start(start[d], p->extents[d] - p->update_extents[d]) * p->strides[d];   \
        }                                                                                                              \
        for (int32_t n = 0; n < p->elements; n++) {                                                                    \
            int32_t place = 0;                                                                                         \
            for (int32_t d = 0; d < p->rank; d++) {                                                                    \
                place += index[d] * p->strides[d];                                                                     \
            }                                                                                                          \
            output[place] = update[n];                                                                                 \
            for (int32_t d = p->rank - 1; d >= 0 && ++index[d] == p->update_extents[d]; d--) {                         \
                index[d] = 0;                                                                                          \
            }                                                                                                          \
        }                                                                                                              \
    }

TS_DYNAMIC_UPDATE_SLICE(s8, int8_t, int32_t)
TS_DYNAMIC_UPDATE_SLICE(s16, int16_t, int32_t)
TS_DYNAMIC_UPDATE_SLICE(s32, int32_t, int32_t)
TS_DYNAMIC_UPDATE_SLICE(f32, float, int32_t)
TS_DYNAMIC_UPDATE_SLICE(s8_at_s64, int8_t, int64_t)
TS_DYNAMIC_UPDATE_SLICE(s16_at_s64, int16_t, int64_t)
TS_DYNAMIC_UPDATE_SLICE(s32_at_s64, int32_t, int64_t)
TS_DYNAMIC_UPDATE_SLICE(f32_at_s64, float, int64_t)

#undef TS_DYNAMIC_UPDATE_SLICE

#endif
