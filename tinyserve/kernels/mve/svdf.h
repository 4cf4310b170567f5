/* SPDX-License-Identifier: Apache-2.0 */
/* SVDF: dot products of four rows at a time with VMLADAV, for Helium. */
#ifndef TS_MVE_SVDF_H
#define TS_MVE_SVDF_H

#include <arm_mve.h>

#include "../by_dots/svdf.h"
#include "dots.h"

/* sum of times * (state - zero point): a vector of both, and of ones for the zero point where it is not 0. */
#define TS_SVDF_TIMES_MVE(SUFFIX, T, LANES, CTP, LOAD, ADD, ADD_ALL)                                                   \
    static inline int32_t ts_mve_svdf_times_##SUFFIX(const ts_svdf_##SUFFIX##_params *p, const T *times,               \
                                                     const T *state)                                                   \
    {                                                                                                                  \
        int32_t sum = 0, weights = 0;                                                                                  \
        for (int32_t left = p->memory; left > 0; left -= LANES, times += LANES, state += LANES) {                      \
            const mve_pred16_t lanes = CTP((uint32_t)left);                                                            \
            const __typeof__(LOAD(times, lanes)) factors = LOAD(times, lanes);                                         \
            sum = ADD(sum, factors, LOAD(state, lanes));                                                               \
            if (p->state_zero_point != 0) {                                                                            \
                weights = ADD_ALL(weights, factors);                                                                   \
            }                                                                                                          \
        }                                                                                                              \
        return ts_wrap_add(sum, (int32_t)((uint32_t)weights * -(uint32_t)p->state_zero_point));                        \
    }

TS_SVDF_TIMES_MVE(s8, int8_t, 16, vctp8q, vldrbq_z_s8, vmladavaq_s8, vaddvaq_s8)
TS_SVDF_TIMES_MVE(s16, int16_t, 8, vctp16q, vldrhq_z_s16, vmladavaq_s16, vaddvaq_s16)

#undef TS_SVDF_TIMES_MVE

TS_SVDF_BY_DOTS(mve, s8, int8_t, ts_mve_dots_s8, ts_mve_svdf_times_s8, INT8_MIN, INT8_MAX)
TS_SVDF_BY_DOTS(mve, s16, int16_t, ts_mve_dots_s8, ts_mve_svdf_times_s16, INT16_MIN, INT16_MAX)

#endif
