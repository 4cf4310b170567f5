/* SPDX-License-Identifier: Apache-2.0 */
/* host/lanes.h on AArch64 with dot products: four lanes in each of four registers. */
#ifndef TS_HOST_LANES_NEON_H
#define TS_HOST_LANES_NEON_H

#include <arm_neon.h>

/* Accumulators of how many blocks of 16 channels fit the registers, for several pixels and for one. */
#define TS_HOST_BLOCKS 1
#define TS_HOST_BLOCKS_OF_ONE 4

typedef int32x4x4_t ts_lanes;
typedef int8x16x4_t ts_quads;

#define TS_HOST_EACH(i) _Pragma("GCC unroll 4") for (int32_t i = 0; i < 4; i++)

TS_HOST_INLINE ts_lanes ts_lanes_load(const int32_t *from)
{
    return (ts_lanes){{vld1q_s32(from), vld1q_s32(from + 4), vld1q_s32(from + 8), vld1q_s32(from + 12)}};
}

TS_HOST_INLINE ts_lanes ts_lanes_of(int32_t value)
{
    const int32x4_t all = vdupq_n_s32(value);
    return (ts_lanes){{all, all, all, all}};
}

TS_HOST_INLINE ts_lanes ts_lanes_add(ts_lanes a, ts_lanes b)
{
    TS_HOST_EACH(i)
    {
        a.val[i] = vaddq_s32(a.val[i], b.val[i]);
    }
    return a;
}

TS_HOST_INLINE ts_lanes ts_lanes_dot(ts_lanes sum, ts_quads x, ts_quads w)
{
    TS_HOST_EACH(i)
    {
#if defined(__ARM_FEATURE_MATMUL_INT8)
        sum.val[i] = vusdotq_s32(sum.val[i], vreinterpretq_u8_s8(x.val[i]), w.val[i]);
#else
        /* SDOT takes signed inputs: those less 128, and 128 times the weights, once for all pixels that share them. */
        const int8x16_t half = vdupq_n_s8(64), lower = veorq_s8(x.val[i], vdupq_n_s8(INT8_MIN));
        const int32x4_t rest = vdotq_s32(vdotq_s32(vdupq_n_s32(0), half, w.val[i]), half, w.val[i]);
        sum.val[i] = vaddq_s32(vdotq_s32(sum.val[i], lower, w.val[i]), rest);
#endif
    }
    return sum;
}

TS_HOST_INLINE ts_lanes ts_lanes_requantize(ts_lanes v, ts_lanes multiplier, ts_lanes shift)
{
    TS_HOST_EACH(i)
    {
        const int32x4_t left = vmaxq_s32(shift.val[i], vdupq_n_s32(0));
        const int32x4_t right = vminq_s32(shift.val[i], vdupq_n_s32(0));
        const int32x4_t high = vqrdmulhq_s32(vshlq_s32(v.val[i], left), multiplier.val[i]);
        /* VRSHL rounds ties upwards: negative values go down by one first, unless nothing is shifted out. */
        const int32x4_t ties = vshrq_n_s32(vandq_s32(high, right), 31);
        v.val[i] = vrshlq_s32(vqaddq_s32(high, ties), right);
    }
    return v;
}

TS_HOST_INLINE void ts_lanes_store(ts_lanes v, ts_lanes low, ts_lanes high, int8_t *to, int32_t count)
{
    TS_HOST_EACH(i)
    {
        v.val[i] = vminq_s32(vmaxq_s32(v.val[i], low.val[i]), high.val[i]);
    }
    const int16x8_t first = vcombine_s16(vmovn_s32(v.val[0]), vmovn_s32(v.val[1]));
    const int16x8_t second = vcombine_s16(vmovn_s32(v.val[2]), vmovn_s32(v.val[3]));
    const int8x16_t bytes = vcombine_s8(vmovn_s16(first), vmovn_s16(second));
    if (count == TS_HOST_LANES) {
        vst1q_s8(to, bytes);
    } else {
        int8_t all[TS_HOST_LANES];
        vst1q_s8(all, bytes);
        for (int32_t i = 0; i < count; i++) {
            to[i] = all[i];
        }
    }
}

TS_HOST_INLINE ts_quads ts_quads_load(const int8_t *from)
{
    return (ts_quads){{vld1q_s8(from), vld1q_s8(from + 16), vld1q_s8(from + 32), vld1q_s8(from + 48)}};
}

TS_HOST_INLINE ts_quads ts_quads_spread(const uint8_t *x)
{
    const int8x16_t all = vreinterpretq_s8_s32(vdupq_n_s32(*(const ts_host_word *)(const void *)x));
    return (ts_quads){{all, all, all, all}};
}

TS_HOST_INLINE ts_quads ts_quads_interleave(const uint8_t *a, const uint8_t *b, const uint8_t *c, const uint8_t *d)
{
    const uint8x16x2_t ab = vzipq_u8(vld1q_u8(a), vld1q_u8(b)), cd = vzipq_u8(vld1q_u8(c), vld1q_u8(d));
    const uint16x8x2_t low = vzipq_u16(vreinterpretq_u16_u8(ab.val[0]), vreinterpretq_u16_u8(cd.val[0]));
    const uint16x8x2_t high = vzipq_u16(vreinterpretq_u16_u8(ab.val[1]), vreinterpretq_u16_u8(cd.val[1]));
    return (ts_quads){{vreinterpretq_s8_u16(low.val[0]), vreinterpretq_s8_u16(low.val[1]),
                       vreinterpretq_s8_u16(high.val[0]), vreinterpretq_s8_u16(high.val[1])}};
}

#endif
