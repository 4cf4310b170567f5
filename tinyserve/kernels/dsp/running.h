/* SPDX-License-Identifier: Apache-2.0 */
/* Running sums of int8, each channel over up to 255 pixels, for Armv7E-M with DSP and later: four channels at a time.
 */
#ifndef TS_DSP_RUNNING_H
#define TS_DSP_RUNNING_H

#include "../running.h"
#include "common.h"

/* Sums of 4 channels over the pixels, in halves of a word: channels 0 and 2, 1 and 3. */
static inline void ts_dsp_running_four(const ts_running_params *p, const int8_t *in, uint32_t *even, uint32_t *odd)
{
    for (int32_t left = p->shape.reduced[2]; left > 0; left--, in += p->shape.kept[2]) {
        uint32_t four;
        __builtin_memcpy(&four, in, sizeof four);
        __asm__("sxtab16 %0, %0, %1" : "+r"(*even) : "r"(four));
        __asm__("sxtab16 %0, %0, %1, ror #8" : "+r"(*odd) : "r"(four));
    }
}

/* Equal to ts_running_sum_s8_s16 of the same rows. */
static inline void ts_dsp_running_sum_s8_s16(const ts_running_params *p, const int8_t *input, int16_t *sums)
{
    const int32_t channels = p->shape.kept[2];
    int32_t c = 0;
    for (; c + 4 <= channels; c += 4) {
        uint32_t even = 0, odd = 0, first, second;
        if (!p->begins) {
            __builtin_memcpy(&first, sums + c, sizeof first);
            __builtin_memcpy(&second, sums + c + 2, sizeof second);
            even = (first & 0xffff) | second << 16;
            odd = first >> 16 | (second & 0xffff0000);
        }
        ts_dsp_running_four(p, input + c, &even, &odd);
        first = (even & 0xffff) | odd << 16;
        second = even >> 16 | (odd & 0xffff0000);
        __builtin_memcpy(sums + c, &first, sizeof first);
        __builtin_memcpy(sums + c + 2, &second, sizeof second);
    }
    for (; c < channels; c++) {
        int32_t sum = p->begins ? 0 : sums[c];
        for (int32_t i = 0; i < p->shape.reduced[2]; i++) {
            sum += input[i * channels + c];
        }
        sums[c] = (int16_t)sum;
    }
}

/* Equal to ts_running_sum_s8_s32 of the same rows. */
static inline void ts_dsp_running_sum_s8_s32(const ts_running_params *p, const int8_t *input, int32_t *sums)
{
    const int32_t channels = p->shape.kept[2];
    int32_t c = 0;
    for (int32_t i = 0; p->begins && i < channels; i++) {
        sums[i] = 0;
    }
    for (; c + 4 <= channels; c += 4) {
        uint32_t even = 0, odd = 0;
        ts_dsp_running_four(p, input + c, &even, &odd);
        sums[c] = ts_wrap_add(sums[c], (int16_t)even);
        sums[c + 1] = ts_wrap_add(sums[c + 1], (int16_t)odd);
        sums[c + 2] = ts_wrap_add(sums[c + 2], (int16_t)(even >> 16));
        sums[c + 3] = ts_wrap_add(sums[c + 3], (int16_t)(odd >> 16));
    }
    for (; c < channels; c++) {
        for (int32_t i = 0; i < p->shape.reduced[2]; i++) {
            sums[c] = ts_wrap_add(sums[c], input[i * channels + c]);
        }
    }
}

#endif
