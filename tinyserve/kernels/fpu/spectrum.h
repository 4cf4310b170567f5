/* SPDX-License-Identifier: Apache-2.0 */
/* FeatureSpectrum on a single-precision FPU, see spectrum.S. Equal to ts_spectrum_powers and ts_spectrum_magnitudes. */
#ifndef TS_FPU_SPECTRUM_H
#define TS_FPU_SPECTRUM_H

#include "../spectrum.h"

#if defined(__ARM_ARCH) && !(defined(__ARM_FP) && (__ARM_FP & 4))
#error "this kernel needs a single-precision FPU: build for one, or compile the model without it"
#endif

/* What ts_fpu_powers_of_pairs reads of the parameters. */
typedef struct {
    int32_t count;
    const float *turns;
    const uint16_t *below;
} ts_fpu_spectrum_pairs;

#ifdef __cplusplus
extern "C" {
#endif

void ts_fpu_fft(ts_complex *x, const ts_complex *twiddles, int32_t count);
void ts_fpu_powers_of_pairs(const ts_fpu_spectrum_pairs *job, const ts_complex *x, float *out);
void ts_fpu_products(const float *a, const float *b, float *out, int32_t count);

#ifdef __cplusplus
}
#endif

/* Half the FFT of a row's pairs. */
static inline void ts_fpu_spectrum_transform(const ts_spectrum_params *p, const float *input, float *scratch)
{
    if (p->half_window) {
        ts_fpu_products(input, p->half_window, scratch, p->length);
    } else {
        ts_spectrum_halve(input, scratch, p->length);
    }
    ts_spectrum_pad(p, scratch);
    ts_fpu_fft((ts_complex *)(void *)scratch, (const ts_complex *)(const void *)p->twiddles, p->count);
}

static inline void ts_fpu_spectrum_powers(const ts_spectrum_params *p, const float *input, float *output,
                                          float *scratch)
{
    const ts_complex *const x = (const ts_complex *)(void *)scratch;
    const ts_fpu_spectrum_pairs pairs = {p->count, p->turns, p->below};
    for (int32_t row = 0; row < p->rows; row++, input += p->length, output += p->count + 1) {
        ts_fpu_spectrum_transform(p, input, scratch);
        ts_spectrum_ends(p, x, output, 0);
        ts_fpu_powers_of_pairs(&pairs, x, output);
    }
}

static inline void ts_fpu_spectrum_magnitudes(const ts_spectrum_params *p, const float *input, float *output,
                                              float *scratch)
{
    const ts_complex *const x = (const ts_complex *)(void *)scratch;
    for (int32_t row = 0; row < p->rows; row++, input += p->length, output += p->count + 1) {
        ts_fpu_spectrum_transform(p, input, scratch);
        ts_spectrum_unpack(p, x, output, 1);
    }
}

#endif
