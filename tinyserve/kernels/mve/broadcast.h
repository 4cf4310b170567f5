/* SPDX-License-Identifier: Apache-2.0 */
/* Walks two inputs whose shapes broadcast to the output's, four elements at a time. */
#ifndef TS_MVE_BROADCAST_H
#define TS_MVE_BROADCAST_H

#include "../common/broadcast.h"
#include "matmul.h"

/* Rows from this length on are walked one by one; shorter ones a plane of rows at a time, so that vectors are full
 * whatever the rows' length is. */
#define TS_MVE_LONG_ROW 32

/* Where four neighbours of a plane lie: their column, and their elements' offsets in both inputs. */
typedef struct {
    uint32x4_t column, offset1, offset2;
} ts_mve_plane_lanes;

TS_MVE_INLINE ts_mve_plane_lanes ts_mve_first_lanes(const ts_broadcast *b)
{
    uint32_t columns[4], offsets1[4], offsets2[4];
    int32_t column = 0, row = 0;
    for (int32_t lane = 0; lane < 4; lane++) {
        columns[lane] = (uint32_t)column;
        offsets1[lane] = (uint32_t)(row * b->strides1[TS_BROADCAST_RANK - 1] + column * b->row_stride1);
        offsets2[lane] = (uint32_t)(row * b->strides2[TS_BROADCAST_RANK - 1] + column * b->row_stride2);
        if (++column == b->row_length) {
            column = 0;
            row++;
        }
    }
    return (ts_mve_plane_lanes){vldrwq_u32(columns), vldrwq_u32(offsets1), vldrwq_u32(offsets2)};
}

/* What offsets of one input grow by, four elements further: `across` where that is in the row whose number is greater
 * by `4 / length`, `next` more where it is in the row after that. */
typedef struct {
    uint32_t across, next;
} ts_mve_plane_steps;

TS_MVE_INLINE ts_mve_plane_steps ts_mve_steps(int32_t length, int32_t row_step, int32_t stride)
{
    return (ts_mve_plane_steps){(uint32_t)(4 / length * row_step + 4 % length * stride),
                                (uint32_t)(row_step - length * stride)};
}

/* COMPUTE(p, a, b) of all elements in ascending order, four at a time, the last ones of a long row by themselves: BITS
 * of an element say how it is loaded, widened to 32 bits, and stored. */
#define TS_MVE_BROADCAST_FOR_EACH(LETTER, BITS, GATHER, COMPUTE)                                                       \
    const ts_broadcast *const walk = &p->broadcast;                                                                    \
    const int32_t length = walk->row_length, last = TS_BROADCAST_RANK - 1;                                             \
    int32_t index[TS_BROADCAST_RANK] = {0}, start1 = 0, start2 = 0;                                                    \
    if (length >= TS_MVE_LONG_ROW || walk->rows == 1) {                                                                \
        for (int32_t row = 0; row < walk->rows; row++, output += length) {                                             \
            const int##BITS##_t *const row1 = input1 + start1, *const row2 = input2 + start2;                          \
            const int32x4_t repeated1 = vdupq_n_s32(*row1), repeated2 = vdupq_n_s32(*row2);                            \
            int32_t i = 0;                                                                                             \
            for (; i + 4 <= length; i += 4) {                                                                          \
                const int32x4_t a = walk->row_stride1 == 0 ? repeated1 : vldr##LETTER##q_s32(row1 + i);                \
                const int32x4_t b = walk->row_stride2 == 0 ? repeated2 : vldr##LETTER##q_s32(row2 + i);                \
                vstr##LETTER##q_s32(output + i, COMPUTE(p, a, b));                                                     \
            }                                                                                                          \
            if (i < length) {                                                                                          \
                const mve_pred16_t lanes = vctp32q((uint32_t)(length - i));                                            \
                const int32x4_t a = walk->row_stride1 == 0 ? repeated1 : vldr##LETTER##q_z_s32(row1 + i, lanes);       \
                const int32x4_t b = walk->row_stride2 == 0 ? repeated2 : vldr##LETTER##q_z_s32(row2 + i, lanes);       \
                TS_STORE_LANES(vstr##LETTER##q_p_s32, output + i, COMPUTE(p, a, b), lanes);                            \
            }                                                                                                          \
            ts_broadcast_next(walk, index, &start1, &start2);                                                          \
        }                                                                                                              \
        return;                                                                                                        \
    }                                                                                                                  \
    const int32_t rows = walk->shape[last], elements = rows * length;                                                  \
    const ts_mve_plane_lanes first = ts_mve_first_lanes(walk);                                                         \
    const ts_mve_plane_steps steps1 = ts_mve_steps(length, walk->strides1[last], walk->row_stride1);                   \
    const ts_mve_plane_steps steps2 = ts_mve_steps(length, walk->strides2[last], walk->row_stride2);                   \
    const uint32_t across = 4 % (uint32_t)length;                                                                      \
    for (int32_t row = 0; row < walk->rows; row += rows) {                                                             \
        ts_mve_plane_lanes at = first;                                                                                 \
        for (int32_t left = elements; left > 0; left -= 4) {                                                           \
            const mve_pred16_t lanes = vctp32q((uint32_t)left);                                                        \
            const int32x4_t a = GATHER(input1 + start1, at.offset1, lanes);                                            \
            const int32x4_t b = GATHER(input2 + start2, at.offset2, lanes);                                            \
            TS_STORE_LANES(vstr##LETTER##q_p_s32, output, COMPUTE(p, a, b), lanes);                                    \
            output += left < 4 ? left : 4;                                                                             \
            at.column = vaddq_n_u32(at.column, across);                                                                \
            at.offset1 = vaddq_n_u32(at.offset1, steps1.across);                                                       \
            at.offset2 = vaddq_n_u32(at.offset2, steps2.across);                                                       \
            const mve_pred16_t next = vcmpcsq_n_u32(at.column, (uint32_t)length);                                      \
            at.column = vsubq_m_n_u32(at.column, at.column, (uint32_t)length, next);                                   \
            at.offset1 = vaddq_m_n_u32(at.offset1, at.offset1, steps1.next, next);                                     \
            at.offset2 = vaddq_m_n_u32(at.offset2, at.offset2, steps2.next, next);                                     \
        }                                                                                                              \
        start1 += walk->strides1[last] * (rows - 1);                                                                   \
        start2 += walk->strides2[last] * (rows - 1);                                                                   \
        index[last] = rows - 1;                                                                                        \
        ts_broadcast_next(walk, index, &start1, &start2);                                                              \
    }

#define TS_MVE_FOR_EACH_S8(COMPUTE) TS_MVE_BROADCAST_FOR_EACH(b, 8, vldrbq_gather_offset_z_s32, COMPUTE)
#define TS_MVE_FOR_EACH_S16(COMPUTE) TS_MVE_BROADCAST_FOR_EACH(h, 16, vldrhq_gather_shifted_offset_z_s32, COMPUTE)

#endif
