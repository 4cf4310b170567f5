/* SPDX-License-Identifier: Apache-2.0 */
/* FeatureBands on a single-precision FPU, see bands.S. Equals ts_bands. */
#ifndef TS_FPU_BANDS_H
#define TS_FPU_BANDS_H

#include "../bands.h"

#if defined(__ARM_ARCH) && !(defined(__ARM_FP) && (__ARM_FP & 4))
#error "this kernel needs a single-precision FPU: build for one, or compile the model without it"
#endif

typedef struct {
    int32_t bands;
    const int32_t *starts, *counts;
    const float *weights;
} ts_fpu_bands_job;

#ifdef __cplusplus
extern "C" {
#endif

void ts_fpu_bands_row(const ts_fpu_bands_job *job, const float *input, float *output);

#ifdef __cplusplus
}
#endif

static inline void ts_fpu_bands(const ts_bands_params *p, const float *input, const int32_t *starts,
                                const int32_t *counts, const float *weights, float *output)
{
    const ts_fpu_bands_job job = {p->bands, starts, counts, weights};
    for (int32_t row = 0; row < p->rows; row++, input += p->width, output += p->bands) {
        ts_fpu_bands_row(&job, input, output);
    }
}

#endif
