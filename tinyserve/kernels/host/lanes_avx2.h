/* SPDX-License-Identifier: Apache-2.0 */
/* host/lanes.h with AVX2: eight lanes in each of two registers. */
#ifndef TS_HOST_LANES_AVX2_H
#define TS_HOST_LANES_AVX2_H

#include <immintrin.h>

/* Accumulators of how many blocks of 16 channels fit the registers, for several pixels and for one. */
#define TS_HOST_BLOCKS 1
#define TS_HOST_BLOCKS_OF_ONE 4

typedef struct {
    __m256i low, high;
} ts_lanes;
typedef ts_lanes ts_quads;

TS_HOST_INLINE __m256i ts_host_eight(const void *from)
{
    return _mm256_loadu_si256((const __m256i *)from);
}

TS_HOST_INLINE __m128i ts_host_bytes(const void *from)
{
    return _mm_loadu_si128((const __m128i *)from);
}

TS_HOST_INLINE ts_lanes ts_lanes_load(const int32_t *from)
{
    return (ts_lanes){ts_host_eight(from), ts_host_eight(from + 8)};
}

TS_HOST_INLINE ts_lanes ts_lanes_of(int32_t value)
{
    return (ts_lanes){_mm256_set1_epi32(value), _mm256_set1_epi32(value)};
}

TS_HOST_INLINE ts_lanes ts_lanes_add(ts_lanes a, ts_lanes b)
{
    return (ts_lanes){_mm256_add_epi32(a.low, b.low), _mm256_add_epi32(a.high, b.high)};
}

TS_HOST_INLINE __m256i ts_host_dot_eight(__m256i sum, __m256i x, __m256i w)
{
#if defined(__AVX512VNNI__) && defined(__AVX512VL__)
    return _mm256_dpbusd_epi32(sum, x, w);
#elif defined(__AVXVNNI__)
    return _mm256_dpbusd_avx_epi32(sum, x, w);
#else
    /* Even and odd bytes apart, as 16 bits: VPMADDUBSW would saturate. */
    const __m256i even_x = _mm256_and_si256(x, _mm256_set1_epi16(255)), odd_x = _mm256_srli_epi16(x, 8);
    const __m256i even_w = _mm256_srai_epi16(_mm256_slli_epi16(w, 8), 8), odd_w = _mm256_srai_epi16(w, 8);
    sum = _mm256_add_epi32(sum, _mm256_madd_epi16(even_x, even_w));
    return _mm256_add_epi32(sum, _mm256_madd_epi16(odd_x, odd_w));
#endif
}

TS_HOST_INLINE ts_lanes ts_lanes_dot(ts_lanes sum, ts_quads x, ts_quads w)
{
    return (ts_lanes){ts_host_dot_eight(sum.low, x.low, w.low), ts_host_dot_eight(sum.high, x.high, w.high)};
}

TS_HOST_INLINE __m256i ts_host_requantize_eight(__m256i v, __m256i multiplier, __m256i shift)
{
    const __m256i zero = _mm256_setzero_si256(), one = _mm256_set1_epi32(1);
    const __m256i left = _mm256_max_epi32(shift, zero);
    const __m256i right = _mm256_max_epi32(_mm256_sub_epi32(zero, shift), zero);
    const __m256i half = _mm256_set1_epi64x((int64_t)1 << 30);
    /* Even and odd lanes apart: their products have 64 bits. */
    const __m256i shifted = _mm256_sllv_epi32(v, left);
    const __m256i even = _mm256_add_epi64(_mm256_mul_epi32(shifted, multiplier), half);
    const __m256i odd =
        _mm256_add_epi64(_mm256_mul_epi32(_mm256_srli_epi64(shifted, 32), _mm256_srli_epi64(multiplier, 32)), half);
    const __m256i high = _mm256_blend_epi32(_mm256_srli_epi64(even, 31), _mm256_slli_epi64(odd, 1), 0xAA);
    /* ts_divide_by_power_of_two */
    const __m256i mask = _mm256_sub_epi32(_mm256_sllv_epi32(one, right), one);
    const __m256i remainder = _mm256_and_si256(high, mask);
    const __m256i threshold = _mm256_sub_epi32(_mm256_srai_epi32(mask, 1), _mm256_srai_epi32(high, 31));
    return _mm256_sub_epi32(_mm256_srav_epi32(high, right), _mm256_cmpgt_epi32(remainder, threshold));
}

TS_HOST_INLINE ts_lanes ts_lanes_requantize(ts_lanes v, ts_lanes multiplier, ts_lanes shift)
{
    return (ts_lanes){ts_host_requantize_eight(v.low, multiplier.low, shift.low),
                      ts_host_requantize_eight(v.high, multiplier.high, shift.high)};
}

TS_HOST_INLINE void ts_lanes_store(ts_lanes v, ts_lanes low, ts_lanes high, int8_t *to, int32_t count)
{
    const __m256i first = _mm256_min_epi32(_mm256_max_epi32(v.low, low.low), high.low);
    const __m256i second = _mm256_min_epi32(_mm256_max_epi32(v.high, low.high), high.high);
    /* Packing works within halves: put them in order between its two steps. */
    const __m256i words = _mm256_permute4x64_epi64(_mm256_packs_epi32(first, second), 0xD8);
    const __m128i bytes = _mm_packs_epi16(_mm256_castsi256_si128(words), _mm256_extracti128_si256(words, 1));
    if (count == TS_HOST_LANES) {
        _mm_storeu_si128((__m128i *)(void *)to, bytes);
    } else {
        int8_t all[TS_HOST_LANES];
        _mm_storeu_si128((__m128i *)(void *)all, bytes);
        for (int32_t i = 0; i < count; i++) {
            to[i] = all[i];
        }
    }
}

TS_HOST_INLINE ts_quads ts_quads_load(const int8_t *from)
{
    return (ts_quads){ts_host_eight(from), ts_host_eight(from + 32)};
}

TS_HOST_INLINE ts_quads ts_quads_spread(const uint8_t *x)
{
    return ts_lanes_of(*(const ts_host_word *)(const void *)x);
}

TS_HOST_INLINE ts_quads ts_quads_interleave(const uint8_t *a, const uint8_t *b, const uint8_t *c, const uint8_t *d)
{
    const __m128i first = ts_host_bytes(a), second = ts_host_bytes(b);
    const __m128i third = ts_host_bytes(c), fourth = ts_host_bytes(d);
    const __m128i low_ab = _mm_unpacklo_epi8(first, second), high_ab = _mm_unpackhi_epi8(first, second);
    const __m128i low_cd = _mm_unpacklo_epi8(third, fourth), high_cd = _mm_unpackhi_epi8(third, fourth);
    return (ts_quads){
        _mm256_set_m128i(_mm_unpackhi_epi16(low_ab, low_cd), _mm_unpacklo_epi16(low_ab, low_cd)),
        _mm256_set_m128i(_mm_unpackhi_epi16(high_ab, high_cd), _mm_unpacklo_epi16(high_ab, high_cd)),
    };
}

#endif
