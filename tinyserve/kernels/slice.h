/* SPDX-License-Identifier: Apache-2.0 */
/* SLICE and REVERSE_V2 with positions or axes that are computed at run time: they become the parameters of a strided
 * copy. Where they reach beyond the input, or do not make an output of the size that was compiled, it is all zeros. */
#ifndef TS_SLICE_H
#define TS_SLICE_H

#include <stdint.h>

#include "common/axis.h"
#include "strided_copy.h"

#define TS_SLICE_ROW TS_STRIDED_COPY_RANK /* the dimension that is a row of the copy */

/* Dimensions are TS_AXIS_RANK, leading ones of extent 1; the last rank of them are given at run time. */
typedef struct {
    int32_t rank, elements, axes; /* elements of the output, axes to reverse */
    int32_t shape[TS_AXIS_RANK], strides[TS_AXIS_RANK];
} ts_slice_params;

/* Sets dimension d of a copy whose later dimensions are set and hold rows * row_length elements. */
static inline void ts_slice_dimension(ts_strided_copy_params *copy, int32_t d, int32_t extent, int32_t stride)
{
    if (d == TS_SLICE_ROW) {
        copy->rows = 1;
        copy->row_length = extent;
        copy->input_row_stride = stride;
        copy->output_row_stride = 1;
        return;
    }
    copy->shape[d] = extent;
    copy->input_strides[d] = stride;
    copy->output_strides[d] = copy->rows * copy->row_length;
    copy->rows *= extent;
}

/* Elements from begin along a dimension; a size of -1 reaches to its end. 0 where they are not all inside. */
static inline int32_t ts_slice_extent(int64_t begin, int64_t size, int32_t extent)
{
    if (begin < 0 || begin > extent) {
        return 0;
    }
    const int64_t count = size == -1 ? extent - begin : size;
    return count >= 0 && count <= extent - begin ? (int32_t)count : 0;
}

/* Returns whether the part is inside of the input and as large as the output. */
#define TS_SLICE_COPY(NAME, POSITION)                                                                                  \
    static inline int ts_slice_copy_##NAME(const ts_slice_params *p, const POSITION *begin, const POSITION *size,      \
                                           ts_strided_copy_params *copy)                                               \
    {                                                                                                                  \
        const int32_t leading = TS_AXIS_RANK - p->rank;                                                                \
        for (int32_t d = TS_SLICE_ROW; d >= 0; d--) {                                                                  \
            const int given = d >= leading;                                                                            \
            const POSITION from = given ? begin[d - leading] : 0, count = given ? size[d - leading] : 1;               \
            const int32_t extent = ts_slice_extent(from, count, p->shape[d]);                                          \
            if (extent == 0) {                                                                                         \
                return 0;                                                                                              \
            }                                                                                                          \
            copy->input_start += (int32_t)from * p->strides[d];                                                        \
            ts_slice_dimension(copy, d, extent, p->strides[d]);                                                        \
        }                                                                                                              \
        return copy->rows * copy->row_length == p->elements;                                                           \
    }

TS_SLICE_COPY(s32, int32_t)
TS_SLICE_COPY(s64, int64_t)

#undef TS_SLICE_COPY

/* Returns whether all axes are the input's. */
static inline int ts_reverse_copy(const ts_slice_params *p, const int32_t *axes, ts_strided_copy_params *copy)
{
    const uint32_t set = ts_axis_set(axes, p->axes, p->rank);
    for (int32_t d = TS_SLICE_ROW; d >= 0; d--) {
        const int32_t axis = d + p->rank - TS_AXIS_RANK;
        const int backwards = axis >= 0 && ((set >> axis) & 1);
        copy->input_start += backwards ? (p->shape[d] - 1) * p->strides[d] : 0;
        ts_slice_dimension(copy, d, p->shape[d], backwards ? -p->strides[d] : p->strides[d]);
    }
    return set != 0;
}

#define TS_SLICE_AT(SUFFIX, T, NAME, POSITION)                                                                         \
    static inline void ts_slice_##SUFFIX##_at_##NAME(const ts_slice_params *p, const T *input, const POSITION *begin,  \
                                                     const POSITION *size, T *output)                                  \
    {                                                                                                                  \
        ts_strided_copy_params copy = {0};                                                                             \
        if (ts_slice_copy_##NAME(p, begin, size, &copy)) {                                                             \
            ts_strided_copy_##SUFFIX(&copy, input, output);                                                            \
            return;                                                                                                    \
        }                                                                                                              \
        for (int32_t i = 0; i < p->elements; i++) {                                                                    \
            output[i] = 0;                                                                                             \
        }                                                                                                              \
    }

#define TS_SLICE(SUFFIX, T)                                                                                            \
    TS_SLICE_AT(SUFFIX, T, s32, int32_t)                                                                               \
    TS_SLICE_AT(SUFFIX, T, s64, int64_t)                                                                               \
    static inline void ts_reverse_##SUFFIX##_at(const ts_slice_params *p, const T *input, const int32_t *axes,         \
                                                T *output)                                                             \
    {                                                                                                                  \
        ts_strided_copy_params copy = {0};                                                                             \
        if (ts_reverse_copy(p, axes, &copy)) {                                                                         \
            ts_strided_copy_##SUFFIX(&copy, input, output);                                                            \
            return;                                                                                                    \
        }                                                                                                              \
        for (int32_t i = 0; i < p->elements; i++) {                                                                    \
            output[i] = 0;                                                                                             \
        }                                                                                                              \
    }

TS_SLICE(s8, int8_t) /* also uint8 and bool */
TS_SLICE(s16, int16_t)
TS_SLICE(s32, int32_t)
TS_SLICE(s64, int64_t)
TS_SLICE(f32, float)

#undef TS_SLICE
#undef TS_SLICE_AT

#endif
