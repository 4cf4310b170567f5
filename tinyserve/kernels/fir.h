/* SPDX-License-Identifier: Apache-2.0 */
/* FeatureFir: a finite impulse response of every step-th sample: filters, moving averages, differences, decimation. */
#ifndef TS_FIR_H
#define TS_FIR_H

#include <stdint.h>

/* keep: the newest samples live on; otherwise zeros come before each inference's. */
typedef struct {
    int32_t samples, width, taps, step, keep;
} ts_fir_params;

/* Bytes of the state, which is never empty. */
#define TS_FIR_STATE_BYTES(taps, width) ((taps) > 1 ? 4 * ((taps)-1) * (width) : 4)

/* The sample at a place; before 0 those of the state [taps - 1][width] are. */
static inline float ts_fir_sample(const ts_fir_params *p, const float *input, const float *state, int32_t sample,
                                  int32_t channel)
{
    return sample < 0 ? state[(p->taps - 1 + sample) * p->width + channel] : input[sample * p->width + channel];
}

/* input [samples][width] to output [samples / step][width]: sums of taps[k] * sample[i - k], from k = 0 on. */
static inline void ts_fir(const ts_fir_params *p, const float *input, const float *taps, float *output, float *state)
{
    const int32_t kept = (p->taps - 1) * p->width;
    if (!p->keep) {
        for (int32_t i = 0; i < kept; i++) {
            state[i] = 0.0f;
        }
    }
    for (int32_t sample = p->step - 1; sample < p->samples; sample += p->step) {
        for (int32_t channel = 0; channel < p->width; channel++) {
            float sum = 0.0f;
            for (int32_t k = 0; k < p->taps; k++) {
                sum += taps[k] * ts_fir_sample(p, input, state, sample - k, channel);
            }
            *output++ = sum;
        }
    }
    const int32_t given = p->samples * p->width;
    for (int32_t i = 0; i < kept; i++) {
        state[i] = given + i < kept ? state[given + i] : input[given + i - kept];
    }
}

#endif
