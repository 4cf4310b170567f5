/* SPDX-License-Identifier: Apache-2.0 */
/* FULLY_CONNECTED float32 on a single-precision FPU: 4 output channels at a time, see fully_connected.S. */
#ifndef TS_FPU_FULLY_CONNECTED_H
#define TS_FPU_FULLY_CONNECTED_H

#include <stdint.h>

#include "../common/params.h"

#if defined(__ARM_ARCH) && !(defined(__ARM_FP) && (__ARM_FP & 4))
#error "this kernel needs a single-precision FPU: build for one, or compile the model without it"
#endif

/* groups: of 4 channels, the last of which has last_channels. */
typedef struct {
    int32_t quads, tail;
    const float *weights;
    int32_t groups, last_channels;
    ts_activation_f32 activation;
} ts_fpu_fully_connected;

#ifdef __cplusplus
extern "C" {
#endif

void ts_fpu_fully_connected_4(const ts_fpu_fully_connected *job, const float *input, float *output);

#ifdef __cplusplus
}
#endif

typedef struct {
    ts_fpu_fully_connected job;
    int32_t batches, depth, channels;
} ts_fpu_fully_connected_f32_params;

static inline void ts_fpu_fully_connected_f32(const ts_fpu_fully_connected_f32_params *p, const float *input,
                                              float *output)
{
    for (int32_t b = 0; b < p->batches; b++, input += p->depth, output += p->channels) {
        ts_fpu_fully_connected_4(&p->job, input, output);
    }
}

#endif
