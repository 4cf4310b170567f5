/* SPDX-License-Identifier: Apache-2.0 */
/* Assembly that the DSP kernels share: widened patches of activations, and their products with packed weights.
 * See matmul.S and patch.S. */
#ifndef TS_DSP_MATMUL_H
#define TS_DSP_MATMUL_H

#include <stdint.h>

#include "common.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What a product needs to know. steps: pairs of taps per pixel.
 * pixel_step: bytes between pixels, which is the number of channels. rounding: twice the output's zero point plus
 * one. weights_bytes: of the records of whole pairs; with odd, one more follows for the last two channels. */
typedef struct {
    int32_t steps, pixel_step, rounding;
    const uint32_t *weights;
    int32_t weights_bytes, odd;
} ts_dsp_matmul;

/* Runs of taps that one pixel reads: quads of bytes and a tail of 0 to 3 in each, how many runs, and the bytes between
 * the end of one and the start of the next. */
typedef struct {
    int32_t quads, tail, runs, gap;
} ts_dsp_runs;

typedef void ts_dsp_matmul_function(const ts_dsp_matmul *matmul, const int32_t *patch, int8_t *output);

/* All output channels of 4 pixels and of 1 pixel (a kernel's parameters have NULL for the one it never calls); relu:
 * the output's zero point is -128. */
void ts_dsp_matmul_4_s8(const ts_dsp_matmul *matmul, const int32_t *patch, int8_t *output);
void ts_dsp_matmul_4_relu_s8(const ts_dsp_matmul *matmul, const int32_t *patch, int8_t *output);
void ts_dsp_matmul_1_s8(const ts_dsp_matmul *matmul, const int32_t *patch, int8_t *output);
void ts_dsp_matmul_1_relu_s8(const ts_dsp_matmul *matmul, const int32_t *patch, int8_t *output);

/* Of 2 pixels, whose patches lie one behind the other. */
void ts_dsp_matmul_2_s8(const ts_dsp_matmul *matmul, const int32_t *patch, int8_t *output);
void ts_dsp_matmul_2_relu_s8(const ts_dsp_matmul *matmul, const int32_t *patch, int8_t *output);

/* The same with widened weights, for zero point -128, see matmul_wide.S. */
void ts_dsp_matmul_4_wide_s8(const ts_dsp_matmul *matmul, const int32_t *patch, int8_t *output);
void ts_dsp_matmul_1_wide_s8(const ts_dsp_matmul *matmul, const int32_t *patch, int8_t *output);

/* Products with all records. */
TS_DSP_SHARED void ts_dsp_multiply(ts_dsp_matmul_function *multiply, const ts_dsp_matmul *matmul, const int32_t *patch,
                                   int8_t *output)
{
    multiply(matmul, patch, output);
    if (matmul->odd) {
        const int32_t record_bytes = matmul->weights_bytes / (matmul->pixel_step / 2);
        const ts_dsp_matmul last = {matmul->steps,    matmul->pixel_step,
                                    matmul->rounding, matmul->weights + matmul->weights_bytes / 4,
                                    record_bytes,     0};
        multiply(&last, patch, output + matmul->pixel_step - 2);
    }
}

/* Widen runs into a patch of 4 pixels or 1; return its end. */
int32_t *ts_dsp_patch_4_s8(int32_t *patch, const int8_t *const *runs, const ts_dsp_runs *shape);
int32_t *ts_dsp_patch_1_s8(int32_t *patch, const int8_t *run, const ts_dsp_runs *shape);

#ifdef __cplusplus
}
#endif

#endif
