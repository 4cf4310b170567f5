/* SPDX-License-Identifier: Apache-2.0 */
/* RANGE: start, start + delta and so on, as many as the output has; what lies at the limit or beyond was left out when
 * the output got its shape. */
#ifndef TS_RANGE_H
#define TS_RANGE_H

#include <stdint.h>

typedef struct {
    int32_t count;
} ts_range_params;

static inline void ts_range_s32(const ts_range_params *p, const int32_t *start, const int32_t *delta, int32_t *output)
{
    uint32_t value = (uint32_t)*start;
    for (int32_t i = 0; i < p->count; i++, value += (uint32_t)*delta) {
        output[i] = (int32_t)value;
    }
}

/* Sums up, as LiteRT does: its rounding errors are ours. */
static inline void ts_range_f32(const ts_range_params *p, const float *start, const float *delta, float *output)
{
    float value = *start;
    for (int32_t i = 0; i < p->count; i++, value += *delta) {
        output[i] = value;
    }
}

#endif
