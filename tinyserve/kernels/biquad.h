/* SPDX-License-Identifier: Apache-2.0 */
/* FeatureBiquad: a cascade of second-order sections, in transposed direct form II. */
#ifndef TS_BIQUAD_H
#define TS_BIQUAD_H

#include <stdint.h>

/* keep: the state lives on; otherwise each inference starts from silence. */
typedef struct {
    int32_t samples, width, sections, keep;
} ts_biquad_params;

/* Bytes of the state. */
#define TS_BIQUAD_STATE_BYTES(sections, width) (2 * 4 * (sections) * (width))

/* input and output [samples][width]; coefficients [sections][b0 b1 b2 a1 a2] with a0 = 1; state [width][sections][2].
 */
static inline void ts_biquad(const ts_biquad_params *p, const float *input, const float *coefficients, float *output,
                             float *state)
{
    if (!p->keep) {
        for (int32_t i = 0; i < 2 * p->width * p->sections; i++) {
            state[i] = 0.0f;
        }
    }
    for (int32_t i = 0; i < p->samples * p->width; i++) {
        float *memory = state + 2 * p->sections * (i % p->width);
        const float *section = coefficients;
        float x = input[i];
        for (int32_t s = 0; s < p->sections; s++, section += 5, memory += 2) {
            const float y = section[0] * x + memory[0];
            memory[0] = section[1] * x - section[3] * y + memory[1];
            memory[1] = section[2] * x - section[4] * y;
            x = y;
        }
        output[i] = x;
    }
}

#endif
