/* SPDX-License-Identifier: Apache-2.0 */
/* host/lanes.h for any processor: vectors of four lanes, which GCC and Clang map to what there is. */
#ifndef TS_HOST_LANES_VECTOR_H
#define TS_HOST_LANES_VECTOR_H

#include "common/fixed_point.h"

/* Accumulators of how many blocks of 16 channels fit the registers, for several pixels and for one. */
#define TS_HOST_BLOCKS 1
#define TS_HOST_BLOCKS_OF_ONE 1

typedef int32_t ts_host_four __attribute__((vector_size(16)));
typedef ts_host_four ts_host_four_anywhere __attribute__((aligned(1), may_alias));
typedef struct {
    ts_host_four four[4];
} ts_lanes;
typedef ts_lanes ts_quads;

TS_HOST_INLINE ts_lanes ts_host_load(const void *from)
{
    const ts_host_four_anywhere *four = from;
    return (ts_lanes){{four[0], four[1], four[2], four[3]}};
}

TS_HOST_INLINE ts_lanes ts_lanes_load(const int32_t *from)
{
    return ts_host_load(from);
}

TS_HOST_INLINE ts_lanes ts_lanes_of(int32_t value)
{
    const ts_host_four all = {value, value, value, value};
    return (ts_lanes){{all, all, all, all}};
}

/* Sums wrap around in two's complement: signed overflow of vectors is as undefined as that of scalars. */
TS_HOST_INLINE ts_host_four ts_host_sum(ts_host_four a, ts_host_four b)
{
    typedef uint32_t unsigned_four __attribute__((vector_size(16)));
    return (ts_host_four)((unsigned_four)a + (unsigned_four)b);
}

TS_HOST_INLINE ts_lanes ts_lanes_add(ts_lanes a, ts_lanes b)
{
    for (int32_t i = 0; i < 4; i++) {
        a.four[i] = ts_host_sum(a.four[i], b.four[i]);
    }
    return a;
}

TS_HOST_INLINE ts_lanes ts_lanes_dot(ts_lanes sum, ts_quads x, ts_quads w)
{
    typedef uint32_t unsigned_four __attribute__((vector_size(16)));
    for (int32_t i = 0; i < 4; i++) {
        const unsigned_four inputs = (unsigned_four)x.four[i], weights = (unsigned_four)w.four[i];
        for (uint32_t bits = 0; bits < 32; bits += 8) {
            const ts_host_four input = (ts_host_four)(inputs >> bits & 255u);
            const ts_host_four weight = (ts_host_four)(weights << (24u - bits)) >> 24;
            sum.four[i] = ts_host_sum(sum.four[i], input * weight);
        }
    }
    return sum;
}

TS_HOST_INLINE ts_lanes ts_lanes_requantize(ts_lanes v, ts_lanes multiplier, ts_lanes shift)
{
    for (int32_t i = 0; i < 4; i++) {
        for (int32_t lane = 0; lane < 4; lane++) {
            v.four[i][lane] = ts_requantize(v.four[i][lane], multiplier.four[i][lane], shift.four[i][lane]);
        }
    }
    return v;
}

TS_HOST_INLINE void ts_lanes_store(ts_lanes v, ts_lanes low, ts_lanes high, int8_t *to, int32_t count)
{
    for (int32_t i = 0; i < count; i++) {
        const int32_t four = i / 4, lane = i % 4;
        to[i] = (int8_t)ts_clamp(v.four[four][lane], low.four[four][lane], high.four[four][lane]);
    }
}

TS_HOST_INLINE ts_quads ts_quads_load(const int8_t *from)
{
    return ts_host_load(from);
}

TS_HOST_INLINE ts_quads ts_quads_spread(const uint8_t *x)
{
    return ts_lanes_of(*(const ts_host_word *)(const void *)x);
}

/* Inputs and weights are both loaded as words from bytes, so that the order within a word cancels out. */
TS_HOST_INLINE ts_quads ts_quads_interleave(const uint8_t *a, const uint8_t *b, const uint8_t *c, const uint8_t *d)
{
    uint8_t bytes[4 * TS_HOST_LANES];
    for (int32_t i = 0; i < TS_HOST_LANES; i++) {
        bytes[4 * i] = a[i];
        bytes[4 * i + 1] = b[i];
        bytes[4 * i + 2] = c[i];
        bytes[4 * i + 3] = d[i];
    }
    return ts_host_load(bytes);
}

#endif
