/* SPDX-License-Identifier: Apache-2.0 */
/* FeatureSpectrum: powers or magnitudes of the frequencies of windows, by a complex FFT of half the length. */
#ifndef TS_SPECTRUM_H
#define TS_SPECTRUM_H

#include <stdint.h>

#include "common/compiler.h"
#include "common/math.h"

/* Bytes of scratch for an FFT of so many samples. */
#define TS_SPECTRUM_SCRATCH_BYTES(fft_length) ((fft_length) * (int32_t)sizeof(float))

typedef struct {
    float re, im;
} ts_complex;

/* rows of length samples, of which [count] complex values are made; half_window [length]: half a window, exactly, or
 * NULL. twiddles: for each stage of radix 4, whose butterflies have places that are m apart, w^k, w^2k and w^3k for k
 * from 1 to m - 1. The FFT's places are in the order of reversed bits. For its pairs of places with frequencies k and
 * count - k, below: the k; turns: what their difference is multiplied by. */
typedef struct {
    int32_t rows, length, count;
    const float *half_window;
    const float *twiddles, *turns;
    const uint16_t *below;
} ts_spectrum_params;

static TS_ALWAYS_INLINE ts_complex ts_complex_add(ts_complex a, ts_complex b)
{
    return (ts_complex){a.re + b.re, a.im + b.im};
}

static TS_ALWAYS_INLINE ts_complex ts_complex_subtract(ts_complex a, ts_complex b)
{
    return (ts_complex){a.re - b.re, a.im - b.im};
}

static TS_ALWAYS_INLINE ts_complex ts_complex_multiply(ts_complex a, ts_complex b)
{
    return (ts_complex){a.re * b.re - a.im * b.im, a.im * b.re + a.re * b.im};
}

/* Butterflies of places x, x + m, x + 2m, x + 3m of each block up to end, their results turned. */
static TS_ALWAYS_INLINE void ts_fft_blocks(ts_complex *x, const ts_complex *end, int32_t m, const ts_complex *turn)
{
    const ts_complex one = {1.0f, 0.0f};
    const ts_complex first = turn ? turn[0] : one, second = turn ? turn[1] : one, third = turn ? turn[2] : one;
    for (; x < end; x += 4 * m) {
        const ts_complex a = x[0], b = x[m], c = x[2 * m], d = x[3 * m];
        const ts_complex even = ts_complex_add(a, c), odd = ts_complex_add(b, d);
        const ts_complex left = ts_complex_subtract(a, c), right = ts_complex_subtract(b, d);
        const ts_complex half = ts_complex_subtract(even, odd);
        const ts_complex minus = {left.re + right.im, left.im - right.re};
        const ts_complex plus = {left.re - right.im, left.im + right.re};
        x[0] = ts_complex_add(even, odd);
        x[m] = turn ? ts_complex_multiply(half, second) : half;
        x[2 * m] = turn ? ts_complex_multiply(minus, first) : minus;
        x[3 * m] = turn ? ts_complex_multiply(plus, third) : plus;
    }
}

/* In place; the results are in the order of reversed bits. */
static inline void ts_fft_in_place(ts_complex *x, int32_t count, const ts_complex *twiddles)
{
    const ts_complex *const end = x + count;
    int32_t m = count / 4;
    for (; m >= 1; m /= 4) {
        ts_fft_blocks(x, end, m, 0);
        for (int32_t k = 1; k < m; k++, twiddles += 3) {
            ts_fft_blocks(x + k, end, m, twiddles);
        }
        if (m == 2) {
            break;
        }
    }
    if (m == 2 || count == 2) {
        for (; x < end; x += 2) {
            const ts_complex a = x[0], b = x[1];
            x[0] = ts_complex_add(a, b);
            x[1] = ts_complex_subtract(a, b);
        }
    }
}

static inline void ts_spectrum_halve(const float *input, float *x, int32_t count)
{
    for (int32_t i = 0; i < count; i++) {
        x[i] = 0.5f * input[i];
    }
}

/* Zeros up to the length of the FFT. */
static inline void ts_spectrum_pad(const ts_spectrum_params *p, float *x)
{
    for (int32_t i = p->length; i < 2 * p->count; i++) {
        x[i] = 0.0f;
    }
}

static TS_ALWAYS_INLINE float ts_spectrum_value(int32_t magnitude, ts_complex bin)
{
    const float power = bin.re * bin.re + bin.im * bin.im;
    return magnitude ? ts_sqrtf(power) : power;
}

/* Of the frequencies that have no partner: 0, count and count / 2. x is half the FFT of pairs of samples. */
static TS_ALWAYS_INLINE void ts_spectrum_ends(const ts_spectrum_params *p, const ts_complex *x, float *out,
                                              int32_t magnitude)
{
    const float sum = x[0].re + x[0].im, difference = x[0].re - x[0].im;
    out[0] = ts_spectrum_value(magnitude, (ts_complex){sum + sum, 0.0f});
    out[p->count] = ts_spectrum_value(magnitude, (ts_complex){difference + difference, 0.0f});
    out[p->count / 2] = ts_spectrum_value(magnitude, ts_complex_add(x[1], x[1]));
}

/* All count + 1 frequencies of the samples. */
static TS_ALWAYS_INLINE void ts_spectrum_unpack(const ts_spectrum_params *p, const ts_complex *x, float *out,
                                                int32_t magnitude)
{
    const ts_complex *turn = (const ts_complex *)(const void *)p->turns;
    const uint16_t *below = p->below;
    float *const last = out + p->count;
    ts_spectrum_ends(p, x, out, magnitude);
    for (int32_t block = 2; block < p->count; block *= 2) {
        const ts_complex *low = x + block, *high = x + 2 * block - 1;
        for (; low < high; low++, high--, turn++) {
            const int32_t k = *below++;
            const ts_complex a = *low, b = *high;
            const ts_complex sum = {a.re + b.re, a.im - b.im};
            const ts_complex turned = ts_complex_multiply((ts_complex){a.re - b.re, a.im + b.im}, *turn);
            out[k] = ts_spectrum_value(magnitude, ts_complex_add(sum, turned));
            last[-k] = ts_spectrum_value(magnitude, ts_complex_subtract(sum, turned));
        }
    }
}

/* Half of a row under its window, and zeros up to the length of the FFT. */
static inline void ts_spectrum_load(const ts_spectrum_params *p, const float *input, float *x)
{
    if (p->half_window) {
        for (int32_t i = 0; i < p->length; i++) {
            x[i] = input[i] * p->half_window[i];
        }
    } else {
        ts_spectrum_halve(input, x, p->length);
    }
    ts_spectrum_pad(p, x);
}

/* input [rows][length] to output [rows][count + 1]. */
static TS_ALWAYS_INLINE void ts_spectrum(const ts_spectrum_params *p, const float *input, float *output, float *scratch,
                                         int32_t magnitude)
{
    ts_complex *const x = (ts_complex *)(void *)scratch;
    for (int32_t row = 0; row < p->rows; row++, input += p->length, output += p->count + 1) {
        ts_spectrum_load(p, input, scratch);
        ts_fft_in_place(x, p->count, (const ts_complex *)(const void *)p->twiddles);
        ts_spectrum_unpack(p, x, output, magnitude);
    }
}

static inline void ts_spectrum_powers(const ts_spectrum_params *p, const float *input, float *output, float *scratch)
{
    ts_spectrum(p, input, output, scratch, 0);
}

static inline void ts_spectrum_magnitudes(const ts_spectrum_params *p, const float *input, float *output,
                                          float *scratch)
{
    ts_spectrum(p, input, output, scratch, 1);
}

#endif
