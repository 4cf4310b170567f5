/* SPDX-License-Identifier: Apache-2.0 */
#include "log_mel.h"

#include "kernels/common/math.h"
#include "kernels/rfft.h"
#include "log_mel_tables.h"

#define PRE_EMPHASIS 0.96875f /* 1 - 2^-5 */
#define FULL_SCALE (1.0f / 32768.0f)
#define SILENCE 1e-30f             /* of a band's power: no logarithm of nothing */
#define DECIBELS_OF_LN 4.34294482f /* 10 / ln 10 */
#define FLOOR_DECIBELS 52.0f       /* below full scale: the number 0 */
#define RANGE_DECIBELS 64.0f

static void window(const int16_t *samples, int16_t before, float *out)
{
    float last = (float)before * FULL_SCALE;
    for (uint32_t i = 0; i < LOG_MEL_WINDOW; i++) {
        const float value = (float)samples[i] * FULL_SCALE;
        const uint32_t mirrored = i < LOG_MEL_WINDOW / 2u ? i : LOG_MEL_WINDOW - 1u - i;
        out[i] = (value - last * PRE_EMPHASIS) * hamming[mirrored];
        last = value;
    }
}

/* Each frequency lies between the peaks of two filters: it rises to the one and falls from the other. */
static void sum_bands(const float *spectrum, float *powers)
{
    for (uint32_t band = 0; band < LOG_MEL_BANDS; band++) {
        powers[band] = 0.0f;
    }
    for (uint32_t k = 1; k <= LOG_MEL_WINDOW / 2u; k++) {
        const float re = spectrum[2u * k], im = spectrum[2u * k + 1u];
        const float power = (re * re + im * im) * (1.0f / (float)LOG_MEL_WINDOW);
        const uint32_t rising = mel_band[k];
        if (rising < LOG_MEL_BANDS) {
            powers[rising] += mel_rise[k] * power;
        }
        if (rising > 0u) {
            powers[rising - 1u] += (1.0f - mel_rise[k]) * power;
        }
    }
}

void log_mel(const int16_t *samples, int16_t before, float *features)
{
    static float windowed[LOG_MEL_WINDOW];
    static float spectrum[LOG_MEL_WINDOW + 2u]; /* the FFT works in place */
    window(samples, before, windowed);
    ts_rfft_f32(&fft, windowed, spectrum, spectrum);
    sum_bands(spectrum, features);
    for (uint32_t band = 0; band < LOG_MEL_BANDS; band++) {
        const float power = features[band] > SILENCE ? features[band] : SILENCE;
        const float level = (ts_logf(power) * DECIBELS_OF_LN + FLOOR_DECIBELS) * (1.0f / RANGE_DECIBELS);
        features[band] = level < 0.0f ? 0.0f : level > 1.0f ? 1.0f : level;
    }
}
