/* SPDX-License-Identifier: Apache-2.0 */
/* Features of sound for a model that listens: what the reference firmware of MLPerf Tiny's streaming wake word computes
 * of the last 1024 samples at 16 kHz. A difference to the sample before (pre-emphasis), a Hamming window, the power
 * spectrum, 40 triangular filters on the mel scale, and their logarithms, of which 64 dB are the numbers 0 to 1. */
#ifndef LOG_MEL_H
#define LOG_MEL_H

#include <stdint.h>

#define LOG_MEL_WINDOW 1024u
#define LOG_MEL_BANDS 40u

/* samples [LOG_MEL_WINDOW], before: the one before the first; features [LOG_MEL_BANDS], each from 0 to 1. */
void log_mel(const int16_t *samples, int16_t before, float *features);

#endif
