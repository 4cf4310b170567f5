/* SPDX-License-Identifier: Apache-2.0 */
/* host/lanes.h with AVX-512: all sixteen lanes in one register. */
#ifndef TS_HOST_LANES_AVX512_H
#define TS_HOST_LANES_AVX512_H

#include <immintrin.h>

/* Accumulators of how many blocks of 16 channels fit the registers, for several pixels and for one. */
#define TS_HOST_BLOCKS 4
#define TS_HOST_BLOCKS_OF_ONE 4

typedef __m512i ts_lanes;
typedef __m512i ts_quads;

TS_HOST_INLINE ts_lanes ts_lanes_load(const int32_t *from)
{
    return _mm512_loadu_si512(from);
}

TS_HOST_INLINE ts_lanes ts_lanes_of(int32_t value)
{
    return _mm512_set1_epi32(value);
}

TS_HOST_INLINE ts_lanes ts_lanes_add(ts_lanes a, ts_lanes b)
{
    return _mm512_add_epi32(a, b);
}

TS_HOST_INLINE ts_lanes ts_lanes_dot(ts_lanes sum, ts_quads x, ts_quads w)
{
    return _mm512_dpbusd_epi32(sum, x, w);
}

TS_HOST_INLINE ts_lanes ts_lanes_requantize(ts_lanes v, ts_lanes multiplier, ts_lanes shift)
{
    const __m512i zero = _mm512_setzero_si512(), one = _mm512_set1_epi32(1);
    const __m512i left = _mm512_max_epi32(shift, zero);
    const __m512i right = _mm512_max_epi32(_mm512_sub_epi32(zero, shift), zero);
    const __m512i half = _mm512_set1_epi64((int64_t)1 << 30);
    /* Even and odd lanes apart: their products have 64 bits. */
    const __m512i shifted = _mm512_sllv_epi32(v, left);
    const __m512i even = _mm512_add_epi64(_mm512_mul_epi32(shifted, multiplier), half);
    const __m512i odd =
        _mm512_add_epi64(_mm512_mul_epi32(_mm512_srli_epi64(shifted, 32), _mm512_srli_epi64(multiplier, 32)), half);
    const __m512i high = _mm512_mask_blend_epi32(0xAAAA, _mm512_srli_epi64(even, 31), _mm512_slli_epi64(odd, 1));
    /* ts_divide_by_power_of_two */
    const __m512i mask = _mm512_sub_epi32(_mm512_sllv_epi32(one, right), one);
    const __m512i remainder = _mm512_and_si512(high, mask);
    const __m512i threshold = _mm512_sub_epi32(_mm512_srai_epi32(mask, 1), _mm512_srai_epi32(high, 31));
    const __m512i divided = _mm512_srav_epi32(high, right);
    return _mm512_mask_add_epi32(divided, _mm512_cmpgt_epi32_mask(remainder, threshold), divided, one);
}

TS_HOST_INLINE void ts_lanes_store(ts_lanes v, ts_lanes low, ts_lanes high, int8_t *to, int32_t count)
{
    const __m128i bytes = _mm512_cvtepi32_epi8(_mm512_min_epi32(_mm512_max_epi32(v, low), high));
    if (count == TS_HOST_LANES) {
        _mm_storeu_si128((__m128i *)(void *)to, bytes);
    } else {
        /* Not a masked store of AVX-512VL: this header asks for as few extensions as it can. */
        int8_t all[TS_HOST_LANES];
        _mm_storeu_si128((__m128i *)(void *)all, bytes);
        for (int32_t i = 0; i < count; i++) {
            to[i] = all[i];
        }
    }
}

TS_HOST_INLINE ts_quads ts_quads_load(const int8_t *from)
{
    return _mm512_loadu_si512(from);
}

TS_HOST_INLINE ts_quads ts_quads_spread(const uint8_t *x)
{
    return _mm512_set1_epi32(*(const ts_host_word *)(const void *)x);
}

TS_HOST_INLINE __m128i ts_host_bytes(const uint8_t *from)
{
    return _mm_loadu_si128((const __m128i *)(const void *)from);
}

TS_HOST_INLINE ts_quads ts_quads_interleave(const uint8_t *a, const uint8_t *b, const uint8_t *c, const uint8_t *d)
{
    /* Byte t of group i from byte i of quarter t. */
    const __m512i step = _mm512_set_epi32(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
    const __m512i order =
        _mm512_add_epi32(_mm512_set1_epi32(0x30201000), _mm512_mullo_epi32(step, _mm512_set1_epi32(0x01010101)));
    __m512i quarters = _mm512_castsi128_si512(ts_host_bytes(a));
    quarters = _mm512_inserti32x4(quarters, ts_host_bytes(b), 1);
    quarters = _mm512_inserti32x4(quarters, ts_host_bytes(c), 2);
    quarters = _mm512_inserti32x4(quarters, ts_host_bytes(d), 3);
    return _mm512_permutexvar_epi8(order, quarters);
}

#endif
