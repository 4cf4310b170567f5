/* SPDX-License-Identifier: Apache-2.0 */
/* SignalWindow and SignalFftAutoScale on pairs of samples: Armv7E-M with DSP and later. Equal to ts_window and
 * ts_fft_auto_scale. */
#ifndef TS_DSP_FRAMING_H
#define TS_DSP_FRAMING_H

#include "../common/bits.h"
#include "../framing.h"
#include "pairs.h"

/* Rows of an even length. */
static inline void ts_dsp_window(const ts_window_params *p, const int16_t *input, const int16_t *weights,
                                 int16_t *output)
{
    const ts_dsp_pair *from = (const ts_dsp_pair *)(const void *)input;
    ts_dsp_pair *to = (ts_dsp_pair *)(void *)output;
    for (int32_t row = 0; row < p->rows; row++) {
        const ts_dsp_pair *weight = (const ts_dsp_pair *)(const void *)weights;
        for (ts_dsp_pair *const end = to + p->length / 2; to < end;) {
            const uint32_t samples = *from++, by = *weight++;
            uint32_t low = (uint32_t)((int32_t)ts_dsp_smulbb(samples, by) >> p->shift);
            uint32_t high = (uint32_t)((int32_t)ts_dsp_smultt(samples, by) >> p->shift);
            __asm__("ssat %0, #16, %0" : "+r"(low) : : "cc");
            __asm__("ssat %0, #16, %0" : "+r"(high) : : "cc");
            *to++ = ts_dsp_lowers(low, high);
        }
    }
}

/* An even number of samples. */
static inline void ts_dsp_fft_auto_scale(const ts_fft_auto_scale_params *p, const int16_t *input, int16_t *output,
                                         int32_t *scale_bits)
{
    const ts_dsp_pair *from = (const ts_dsp_pair *)(const void *)input, *const end = from + p->count / 2;
    uint32_t all = 0; /* as many bits as the largest magnitude has */
    for (const ts_dsp_pair *pair = from; pair < end; pair++) {
        all |= ts_dsp_magnitudes(*pair);
    }
    all = (all | all >> 16) & 0xffff;
    const int32_t bits = all ? ts_max(ts_leading_zeros(all) - 17, 0) : 0;
    ts_dsp_pair *to = (ts_dsp_pair *)(void *)output;
    while (from < end) {
        const uint32_t pair = *from++;
        *to++ = ts_dsp_lower_upper(pair << bits, (pair & 0xffff0000u) << bits);
    }
    *scale_bits = bits;
}

#endif
