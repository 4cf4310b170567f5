/* SPDX-License-Identifier: Apache-2.0 */
/* BROADCAST_ARGS: the shape that two shapes broadcast to, where they are computed at run time. */
#ifndef TS_BROADCAST_ARGS_H
#define TS_BROADCAST_ARGS_H

#include <stdint.h>

typedef struct {
    int32_t rank1, rank2, rank;
} ts_broadcast_args_params;

#define TS_BROADCAST_ARGS(SUFFIX, T)                                                                                   \
    static inline void ts_broadcast_args_##SUFFIX(const ts_broadcast_args_params *p, const T *shape1, const T *shape2, \
                                                  T *output)                                                           \
    {                                                                                                                  \
        for (int32_t d = 1; d <= p->rank; d++) {                                                                       \
            const T extent1 = d <= p->rank1 ? shape1[p->rank1 - d] : 1;                                                \
            const T extent2 = d <= p->rank2 ? shape2[p->rank2 - d] : 1;                                                \
            output[p->rank - d] = extent1 == 1 ? extent2 : extent1;                                                    \
        }                                                                                                              \
    }

TS_BROADCAST_ARGS(s32, int32_t)
TS_BROADCAST_ARGS(s64, int64_t)

#undef TS_BROADCAST_ARGS

#endif
