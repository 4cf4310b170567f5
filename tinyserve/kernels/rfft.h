/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes of scratch for values of a type. */
#define TS_FFT_SCRATCH_BYTES(length, T) ((length) * (int32_t)sizeof(T))

/* SignalRfft and SignalIrfft: real FFTs of a power of two, as a complex FFT of half the length in radix 4 and 2.
 * Integers are divided by the radix at every stage, so that nothing overflows. */
#ifndef TS_RFFT_H
#define TS_RFFT_H

#include <stdint.h>

#include "common/fixed_point.h"

#define TS_FFT_STAGES 16

/* count complex values; order[k] is the input of place k; radices from the outermost stage; twiddles [count] and
 * super_twiddles [count / 2] are (re, im) pairs. Rows of input_length (Irfft: 2 * count) values; scale: float32 only.
 */
#define TS_FFT_PARAMS(SUFFIX, T)                                                                                       \
    typedef struct {                                                                                                   \
        int32_t rows, input_length, count, stages;                                                                     \
        int32_t radices[TS_FFT_STAGES];                                                                                \
        const uint16_t *order;                                                                                         \
        const T *twiddles, *super_twiddles;                                                                            \
        float scale;                                                                                                   \
    } ts_fft_##SUFFIX##_params;                                                                                        \
                                                                                                                       \
    typedef struct {                                                                                                   \
        T re, im;                                                                                                      \
    } ts_complex_##SUFFIX;

TS_FFT_PARAMS(s16, int16_t)
TS_FFT_PARAMS(s32, int32_t)
TS_FFT_PARAMS(f32, float)

static inline int16_t ts_fft_sum_s16(int16_t a, int16_t b)
{
    return (int16_t)(a + b);
}

static inline int32_t ts_fft_sum_s32(int32_t a, int32_t b)
{
    return ts_wrap_add(a, b);
}

static inline float ts_fft_sum_f32(float a, float b)
{
    return a + b;
}

static inline int16_t ts_fft_difference_s16(int16_t a, int16_t b)
{
    return (int16_t)(a - b);
}

static inline int32_t ts_fft_difference_s32(int32_t a, int32_t b)
{
    return (int32_t)((uint32_t)a - (uint32_t)b);
}

static inline float ts_fft_difference_f32(float a, float b)
{
    return a - b;
}

static inline int16_t ts_fft_product_s16(int16_t a, int16_t b, int16_t c, int16_t d)
{
    return (int16_t)((a * b + c * d + (1 << 14)) >> 15);
}

static inline int32_t ts_fft_product_s32(int32_t a, int32_t b, int32_t c, int32_t d)
{
    return (int32_t)(((int64_t)a * b + (int64_t)c * d + ((int64_t)1 << 30)) >> 31);
}

static inline float ts_fft_product_f32(float a, float b, float c, float d)
{
    return a * b + c * d;
}

static inline int16_t ts_fft_divide_s16(int16_t a, int32_t divisor)
{
    return (int16_t)((a * (INT16_MAX / divisor) + (1 << 14)) >> 15);
}

static inline int32_t ts_fft_divide_s32(int32_t a, int32_t divisor)
{
    return (int32_t)(((int64_t)a * (INT32_MAX / divisor) + ((int64_t)1 << 30)) >> 31);
}

static inline float ts_fft_divide_f32(float a, int32_t divisor)
{
    (void)divisor;
    return a;
}

static inline int16_t ts_fft_half_sum_s16(int16_t a, int16_t b)
{
    return (int16_t)((a + b) >> 1);
}

static inline int32_t ts_fft_half_sum_s32(int32_t a, int32_t b)
{
    return ts_wrap_add(a, b) >> 1;
}

static inline float ts_fft_half_sum_f32(float a, float b)
{
    return (a + b) * 0.5f;
}

#define TS_FFT(SUFFIX, T)                                                                                              \
    static inline ts_complex_##SUFFIX ts_fft_add_##SUFFIX(ts_complex_##SUFFIX a, ts_complex_##SUFFIX b)                \
    {                                                                                                                  \
        return (ts_complex_##SUFFIX){ts_fft_sum_##SUFFIX(a.re, b.re), ts_fft_sum_##SUFFIX(a.im, b.im)};                \
    }                                                                                                                  \
                                                                                                                       \
    static inline ts_complex_##SUFFIX ts_fft_subtract_##SUFFIX(ts_complex_##SUFFIX a, ts_complex_##SUFFIX b)           \
    {                                                                                                                  \
        return (ts_complex_##SUFFIX){ts_fft_difference_##SUFFIX(a.re, b.re), ts_fft_difference_##SUFFIX(a.im, b.im)};  \
    }                                                                                                                  \
                                                                                                                       \
    static inline ts_complex_##SUFFIX ts_fft_multiply_##SUFFIX(ts_complex_##SUFFIX a, const T *twiddle)                \
    {                                                                                                                  \
        const T re = twiddle[0], im = twiddle[1];                                                                      \
        return (ts_complex_##SUFFIX){ts_fft_product_##SUFFIX(a.re, re, a.im, ts_fft_difference_##SUFFIX(0, im)),       \
                                     ts_fft_product_##SUFFIX(a.re, im, a.im, re)};                                     \
    }                                                                                                                  \
                                                                                                                       \
    static inline ts_complex_##SUFFIX ts_fft_scaled_##SUFFIX(ts_complex_##SUFFIX a, int32_t divisor)                   \
    {                                                                                                                  \
        return (ts_complex_##SUFFIX){ts_fft_divide_##SUFFIX(a.re, divisor), ts_fft_divide_##SUFFIX(a.im, divisor)};    \
    }                                                                                                                  \
                                                                                                                       \
    static inline void ts_fft_radix2_##SUFFIX(ts_complex_##SUFFIX *x, const T *twiddles, int32_t stride, int32_t m)    \
    {                                                                                                                  \
        for (int32_t k = 0; k < m; k++) {                                                                              \
            const ts_complex_##SUFFIX a = ts_fft_scaled_##SUFFIX(x[k], 2);                                             \
            const ts_complex_##SUFFIX b =                                                                              \
                ts_fft_multiply_##SUFFIX(ts_fft_scaled_##SUFFIX(x[k + m], 2), twiddles + 2 * k * stride);              \
            x[k + m] = ts_fft_subtract_##SUFFIX(a, b);                                                                 \
            x[k] = ts_fft_add_##SUFFIX(a, b);                                                                          \
        }                                                                                                              \
    }                                                                                                                  \
                                                                                                                       \
    static inline void ts_fft_radix4_##SUFFIX(ts_complex_##SUFFIX *x, const T *twiddles, int32_t stride, int32_t m,    \
                                              int32_t inverse)                                                         \
    {                                                                                                                  \
        for (int32_t k = 0; k < m; k++) {                                                                              \
            const T *const turn = twiddles + 2 * k * stride;                                                           \
            const ts_complex_##SUFFIX a = ts_fft_scaled_##SUFFIX(x[k], 4);                                             \
            const ts_complex_##SUFFIX b = ts_fft_multiply_##SUFFIX(ts_fft_scaled_##SUFFIX(x[k + m], 4), turn);         \
            const ts_complex_##SUFFIX c =                                                                              \
                ts_fft_multiply_##SUFFIX(ts_fft_scaled_##SUFFIX(x[k + 2 * m], 4), turn + 2 * k * stride);              \
            const ts_complex_##SUFFIX d =                                                                              \
                ts_fft_multiply_##SUFFIX(ts_fft_scaled_##SUFFIX(x[k + 3 * m], 4), turn + 4 * k * stride);              \
            const ts_complex_##SUFFIX even = ts_fft_add_##SUFFIX(a, c), odd = ts_fft_add_##SUFFIX(b, d);               \
            const ts_complex_##SUFFIX left = ts_fft_subtract_##SUFFIX(a, c), right = ts_fft_subtract_##SUFFIX(b, d);   \
            const ts_complex_##SUFFIX minus = {ts_fft_sum_##SUFFIX(left.re, right.im),                                 \
                                               ts_fft_difference_##SUFFIX(left.im, right.re)};                         \
            const ts_complex_##SUFFIX plus = {ts_fft_difference_##SUFFIX(left.re, right.im),                           \
                                              ts_fft_sum_##SUFFIX(left.im, right.re)};                                 \
            x[k] = ts_fft_add_##SUFFIX(even, odd);                                                                     \
            x[k + m] = inverse ? plus : minus;                                                                         \
            x[k + 2 * m] = ts_fft_subtract_##SUFFIX(even, odd);                                                        \
            x[k + 3 * m] = inverse ? minus : plus;                                                                     \
        }                                                                                                              \
    }                                                                                                                  \
                                                                                                                       \
    static inline void ts_fft_stages_##SUFFIX(const ts_fft_##SUFFIX##_params *p, ts_complex_##SUFFIX *x,               \
                                              int32_t inverse)                                                         \
    {                                                                                                                  \
        for (int32_t stage = p->stages - 1, m = 1; stage >= 0; m *= p->radices[stage--]) {                             \
            const int32_t size = p->radices[stage] * m, stride = p->count / size;                                      \
            for (int32_t start = 0; start < p->count; start += size) {                                                 \
                if (p->radices[stage] == 4) {                                                                          \
                    ts_fft_radix4_##SUFFIX(x + start, p->twiddles, stride, m, inverse);                                \
                } else {                                                                                               \
                    ts_fft_radix2_##SUFFIX(x + start, p->twiddles, stride, m);                                         \
                }                                                                                                      \
            }                                                                                                          \
        }                                                                                                              \
    }                                                                                                                  \
                                                                                                                       \
    /* From the FFT of pairs of values to count + 1 frequencies. */                                                    \
    static inline void ts_fft_unpack_##SUFFIX(const ts_fft_##SUFFIX##_params *p, const ts_complex_##SUFFIX *x,         \
                                              ts_complex_##SUFFIX *out)                                                \
    {                                                                                                                  \
        const ts_complex_##SUFFIX first = ts_fft_scaled_##SUFFIX(x[0], 2);                                             \
        out[0] = (ts_complex_##SUFFIX){ts_fft_sum_##SUFFIX(first.re, first.im), 0};                                    \
        out[p->count] = (ts_complex_##SUFFIX){ts_fft_difference_##SUFFIX(first.re, first.im), 0};                      \
        for (int32_t k = 1; k <= p->count / 2; k++) {                                                                  \
            const ts_complex_##SUFFIX mirror = {x[p->count - k].re,                                                    \
                                                ts_fft_difference_##SUFFIX(0, x[p->count - k].im)};                    \
            const ts_complex_##SUFFIX a = ts_fft_scaled_##SUFFIX(x[k], 2), b = ts_fft_scaled_##SUFFIX(mirror, 2);      \
            const ts_complex_##SUFFIX sum = ts_fft_add_##SUFFIX(a, b);                                                 \
            const ts_complex_##SUFFIX turned =                                                                         \
                ts_fft_multiply_##SUFFIX(ts_fft_subtract_##SUFFIX(a, b), p->super_twiddles + 2 * (k - 1));             \
            out[k].re = ts_fft_half_sum_##SUFFIX(sum.re, turned.re);                                                   \
            out[k].im = ts_fft_half_sum_##SUFFIX(sum.im, turned.im);                                                   \
            out[p->count - k].re = ts_fft_half_sum_##SUFFIX(sum.re, ts_fft_difference_##SUFFIX(0, turned.re));         \
            out[p->count - k].im = ts_fft_half_sum_##SUFFIX(turned.im, ts_fft_difference_##SUFFIX(0, sum.im));         \
        }                                                                                                              \
    }                                                                                                                  \
                                                                                                                       \
    static inline void ts_rfft_##SUFFIX(const ts_fft_##SUFFIX##_params *p, const T *input, T *output, T *scratch)      \
    {                                                                                                                  \
        ts_complex_##SUFFIX *const work = (ts_complex_##SUFFIX *)(void *)scratch;                                      \
        for (int32_t row = 0; row < p->rows; row++, input += p->input_length, output += 2 * (p->count + 1)) {          \
            for (int32_t k = 0; k < p->count; k++) {                                                                   \
                const int32_t from = 2 * p->order[k];                                                                  \
                work[k].re = from < p->input_length ? input[from] : 0;                                                 \
                work[k].im = from + 1 < p->input_length ? input[from + 1] : 0;                                         \
            }                                                                                                          \
            ts_fft_stages_##SUFFIX(p, work, 0);                                                                        \
            ts_fft_unpack_##SUFFIX(p, work, (ts_complex_##SUFFIX *)(void *)output);                                    \
        }                                                                                                              \
    }                                                                                                                  \
                                                                                                                       \
    /* From count + 1 frequencies to the FFT of pairs of values. */                                                    \
    static inline void ts_fft_pack_##SUFFIX(const ts_fft_##SUFFIX##_params *p, const ts_complex_##SUFFIX *in,          \
                                            ts_complex_##SUFFIX *x)                                                    \
    {                                                                                                                  \
        const T low = in[0].re, high = in[p->count].re;                                                                \
        x[0] = ts_fft_scaled_##SUFFIX(                                                                                 \
            (ts_complex_##SUFFIX){ts_fft_sum_##SUFFIX(low, high), ts_fft_difference_##SUFFIX(low, high)}, 2);          \
        for (int32_t k = 1; k <= p->count / 2; k++) {                                                                  \
            const ts_complex_##SUFFIX mirror = {in[p->count - k].re,                                                   \
                                                ts_fft_difference_##SUFFIX(0, in[p->count - k].im)};                   \
            const ts_complex_##SUFFIX a = ts_fft_scaled_##SUFFIX(in[k], 2), b = ts_fft_scaled_##SUFFIX(mirror, 2);     \
            const ts_complex_##SUFFIX even = ts_fft_add_##SUFFIX(a, b);                                                \
            const ts_complex_##SUFFIX odd =                                                                            \
                ts_fft_multiply_##SUFFIX(ts_fft_subtract_##SUFFIX(a, b), p->super_twiddles + 2 * (k - 1));             \
            const ts_complex_##SUFFIX last = ts_fft_subtract_##SUFFIX(even, odd);                                      \
            x[k] = ts_fft_add_##SUFFIX(even, odd);                                                                     \
            x[p->count - k] = (ts_complex_##SUFFIX){last.re, ts_fft_difference_##SUFFIX(0, last.im)};                  \
        }                                                                                                              \
    }                                                                                                                  \
                                                                                                                       \
    static inline void ts_irfft_##SUFFIX(const ts_fft_##SUFFIX##_params *p, const T *input, T *output, T *scratch)     \
    {                                                                                                                  \
        ts_complex_##SUFFIX *const work = (ts_complex_##SUFFIX *)(void *)scratch;                                      \
        for (int32_t row = 0; row < p->rows; row++, input += p->input_length, output += 2 * p->count) {                \
            ts_complex_##SUFFIX *const out = (ts_complex_##SUFFIX *)(void *)output;                                    \
            ts_fft_pack_##SUFFIX(p, (const ts_complex_##SUFFIX *)(const void *)input, work);                           \
            for (int32_t k = 0; k < p->count; k++) {                                                                   \
                out[k] = work[p->order[k]];                                                                            \
            }                                                                                                          \
            ts_fft_stages_##SUFFIX(p, out, 1);                                                                         \
            TS_FFT_FINISH_##SUFFIX(p, output)                                                                          \
        }                                                                                                              \
    }

#define TS_FFT_FINISH_s16(p, output)
#define TS_FFT_FINISH_s32(p, output)
#define TS_FFT_FINISH_f32(p, output)                                                                                   \
    for (int32_t i = 0; i < 2 * (p)->count; i++) {                                                                     \
        (output)[i] *= (p)->scale;                                                                                     \
    }

TS_FFT(s16, int16_t)
TS_FFT(s32, int32_t)
TS_FFT(f32, float)

#undef TS_FFT
#undef TS_FFT_PARAMS
#undef TS_FFT_FINISH_s16
#undef TS_FFT_FINISH_s32
#undef TS_FFT_FINISH_f32

#endif
