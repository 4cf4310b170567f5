/* SPDX-License-Identifier: Apache-2.0 */
/* FeatureBands: each output is a weighted sum of neighbouring inputs, as in mel filter banks and cosine transforms. */
#ifndef TS_BANDS_H
#define TS_BANDS_H

#include <stdint.h>

typedef struct {
    int32_t rows, width, bands;
} ts_bands_params;

/* input [rows][width] to output [rows][bands]: band b is the sum of counts[b] inputs from starts[b] on times the next
 * weights, in this order. */
static inline void ts_bands(const ts_bands_params *p, const float *input, const int32_t *starts, const int32_t *counts,
                            const float *weights, float *output)
{
    for (int32_t row = 0; row < p->rows; row++, input += p->width) {
        const float *weight = weights;
        for (int32_t band = 0; band < p->bands; band++) {
            const float *x = input + starts[band];
            float sum = 0.0f;
            for (int32_t i = 0; i < counts[band]; i++) {
                sum += *weight++ * *x++;
            }
            *output++ = sum;
        }
    }
}

#endif
