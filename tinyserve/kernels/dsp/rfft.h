/* SPDX-License-Identifier: Apache-2.0 */
/* SignalRfft, int16, on complex numbers in words: Armv7E-M with DSP and later. Equals ts_rfft_s16. */
#ifndef TS_DSP_RFFT_H
#define TS_DSP_RFFT_H

#include "../rfft.h"
#include "pairs.h"

#define TS_DSP_FFT_HALF 0x8000u /* of the unit that is left of a product's upper half */

/* (x * (32767 / divisor) + 2^14) >> 15 for both halves: the upper halves of twice that. factor: 2 * (32767 / divisor).
 */
static TS_ALWAYS_INLINE uint32_t ts_dsp_fft_divided(uint32_t x, uint32_t factor)
{
    return ts_dsp_uppers(ts_dsp_smlabb(x, factor, TS_DSP_FFT_HALF), ts_dsp_smlatb(x, factor, TS_DSP_FFT_HALF));
}

#define TS_DSP_FFT_BY_4 (2 * (INT16_MAX / 4))
#define TS_DSP_FFT_BY_2 (2 * (INT16_MAX / 2))

/* Rounded products of complex numbers of which the first was divided by 4: twice it does not overflow, and then the
 * upper halves are the result. */
static TS_ALWAYS_INLINE uint32_t ts_dsp_fft_turned(uint32_t quarter, uint32_t twiddle)
{
    const uint32_t doubled = ts_dsp_sadd16(quarter, quarter);
    return ts_dsp_uppers(ts_dsp_smlsd(doubled, twiddle, TS_DSP_FFT_HALF),
                         ts_dsp_smladx(doubled, twiddle, TS_DSP_FFT_HALF));
}

/* The same of any first factor. */
static TS_ALWAYS_INLINE uint32_t ts_dsp_fft_product(uint32_t a, uint32_t twiddle)
{
    const uint32_t re = ts_dsp_smlsd(a, twiddle, 1u << 14), im = ts_dsp_smladx(a, twiddle, 1u << 14);
    return ts_dsp_lower_upper(re >> 15, im << 1);
}

/* The butterfly of four that were divided and turned, into places that are m apart. */
static TS_ALWAYS_INLINE void ts_dsp_fft_four(ts_dsp_pair *x, int32_t m, uint32_t a, uint32_t b, uint32_t c, uint32_t d)
{
    const uint32_t even = ts_dsp_sadd16(a, c), odd = ts_dsp_sadd16(b, d);
    const uint32_t left = ts_dsp_ssub16(a, c), right = ts_dsp_ssub16(b, d);
    x[0] = ts_dsp_sadd16(even, odd);
    x[m] = ts_dsp_ssax(left, right);
    x[2 * m] = ts_dsp_ssub16(even, odd);
    x[3 * m] = ts_dsp_sasx(left, right);
}

/* A pair of samples, zeros from the input's end on. */
static inline uint32_t ts_dsp_fft_pair(const ts_fft_s16_params *p, const int16_t *input, int32_t pair)
{
    const int32_t left = p->input_length - 2 * pair;
    if (left > 1) {
        return ((const ts_dsp_pair *)(const void *)input)[pair];
    }
    return left == 1 ? (uint16_t)input[2 * pair] : 0;
}

/* The innermost stage, whose twiddles are 1 (a product with 32767 of what was divided is itself): from the input to x.
 */
static inline void ts_dsp_fft_first_four(const ts_fft_s16_params *p, const int16_t *input, ts_dsp_pair *x)
{
    const int32_t quarter = p->count / 4, whole = p->input_length / 2 - 3 * quarter;
    for (int32_t k = 0; k < p->count; k += 4) {
        const int32_t place = p->order[k];
        const ts_dsp_pair *const from = (const ts_dsp_pair *)(const void *)input + place;
        uint32_t a, b, c, d;
        if (place < whole) {
            a = from[0];
            b = from[quarter];
            c = from[2 * quarter];
            d = from[3 * quarter];
        } else {
            a = ts_dsp_fft_pair(p, input, place);
            b = ts_dsp_fft_pair(p, input, place + quarter);
            c = ts_dsp_fft_pair(p, input, place + 2 * quarter);
            d = ts_dsp_fft_pair(p, input, place + 3 * quarter);
        }
        ts_dsp_fft_four(x + k, 1, ts_dsp_fft_divided(a, TS_DSP_FFT_BY_4), ts_dsp_fft_divided(b, TS_DSP_FFT_BY_4),
                        ts_dsp_fft_divided(c, TS_DSP_FFT_BY_4), ts_dsp_fft_divided(d, TS_DSP_FFT_BY_4));
    }
}

static inline void ts_dsp_fft_first_two(const ts_fft_s16_params *p, const int16_t *input, ts_dsp_pair *x)
{
    for (int32_t k = 0; k < p->count; k += 2) {
        const uint32_t a = ts_dsp_fft_divided(ts_dsp_fft_pair(p, input, p->order[k]), TS_DSP_FFT_BY_2);
        const uint32_t b = ts_dsp_fft_divided(ts_dsp_fft_pair(p, input, p->order[k + 1]), TS_DSP_FFT_BY_2);
        x[k] = ts_dsp_sadd16(a, b);
        x[k + 1] = ts_dsp_ssub16(a, b);
    }
}

/* Butterflies of places that are m apart, the same twiddles for one of each block. */
static inline void ts_dsp_fft_stage(const ts_fft_s16_params *p, ts_dsp_pair *x, int32_t m)
{
    const ts_dsp_pair *const twiddles = (const ts_dsp_pair *)(const void *)p->twiddles;
    const int32_t stride = p->count / (4 * m);
    const ts_dsp_pair *const end = x + p->count;
    for (ts_dsp_pair *four = x; four < end; four += 4 * m) {
        ts_dsp_fft_four(four, m, ts_dsp_fft_divided(four[0], TS_DSP_FFT_BY_4),
                        ts_dsp_fft_divided(four[m], TS_DSP_FFT_BY_4), ts_dsp_fft_divided(four[2 * m], TS_DSP_FFT_BY_4),
                        ts_dsp_fft_divided(four[3 * m], TS_DSP_FFT_BY_4));
    }
    for (int32_t k = 1; k < m; k++) {
        const uint32_t first = twiddles[k * stride], second = twiddles[2 * k * stride],
                       third = twiddles[3 * k * stride];
        for (ts_dsp_pair *four = x + k; four < end; four += 4 * m) {
            const uint32_t a = ts_dsp_fft_divided(four[0], TS_DSP_FFT_BY_4);
            const uint32_t b = ts_dsp_fft_turned(ts_dsp_fft_divided(four[m], TS_DSP_FFT_BY_4), first);
            const uint32_t c = ts_dsp_fft_turned(ts_dsp_fft_divided(four[2 * m], TS_DSP_FFT_BY_4), second);
            const uint32_t d = ts_dsp_fft_turned(ts_dsp_fft_divided(four[3 * m], TS_DSP_FFT_BY_4), third);
            ts_dsp_fft_four(four, m, a, b, c, d);
        }
    }
}

/* From the FFT of pairs of values to count + 1 frequencies. */
static inline void ts_dsp_fft_unpack(const ts_fft_s16_params *p, const ts_dsp_pair *x, ts_dsp_pair *out)
{
    const uint32_t first = ts_dsp_fft_divided(x[0], TS_DSP_FFT_BY_2);
    out[0] = (first + (first >> 16)) & 0xffff;
    out[p->count] = (first - (first >> 16)) & 0xffff;
    const ts_dsp_pair *twiddle = (const ts_dsp_pair *)(const void *)p->super_twiddles, *low = x + 1,
                      *high = x + p->count - 1;
    ts_dsp_pair *below = out + 1, *above = out + p->count - 1;
    while (low <= high) {
        const uint32_t last = *high--;
        const uint32_t mirror = ts_dsp_lower_upper(last, ts_dsp_ssub16(0, last)); /* its conjugate */
        const uint32_t a = ts_dsp_fft_divided(*low++, TS_DSP_FFT_BY_2), b = ts_dsp_fft_divided(mirror, TS_DSP_FFT_BY_2);
        const uint32_t sum = ts_dsp_sadd16(a, b), turned = ts_dsp_fft_product(ts_dsp_ssub16(a, b), *twiddle++);
        const uint32_t added = ts_dsp_lower_upper(sum, turned), taken = ts_dsp_lower_upper(turned, sum);
        *below++ = ts_dsp_shadd16(sum, turned);
        *above-- = ts_dsp_shadd16(added, ts_dsp_ssub16(0, taken));
    }
}

static inline void ts_dsp_rfft_s16(const ts_fft_s16_params *p, const int16_t *input, int16_t *output, int16_t *scratch)
{
    ts_dsp_pair *const x = (ts_dsp_pair *)(void *)scratch;
    for (int32_t row = 0; row < p->rows; row++, input += p->input_length, output += 2 * (p->count + 1)) {
        int32_t m = p->radices[p->stages - 1];
        if (m == 4) {
            ts_dsp_fft_first_four(p, input, x);
        } else {
            ts_dsp_fft_first_two(p, input, x);
        }
        for (; m < p->count; m *= 4) {
            ts_dsp_fft_stage(p, x, m);
        }
        ts_dsp_fft_unpack(p, x, (ts_dsp_pair *)(void *)output);
    }
}

#endif
