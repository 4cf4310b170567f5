/* SPDX-License-Identifier: Apache-2.0 */
/* AVERAGE_POOL_2D and MAX_POOL_2D, int8, for Armv7E-M with DSP and later: four channels at a time. */
#ifndef TS_DSP_POOL_2D_H
#define TS_DSP_POOL_2D_H

#include "../pool_2d.h"
#include "common.h"

static inline uint32_t ts_dsp_load_four(const int8_t *from)
{
    uint32_t four;
    __builtin_memcpy(&four, from, sizeof four);
    return four;
}

/* The larger of each pair of int8. */
static inline uint32_t ts_dsp_max_s8(uint32_t a, uint32_t b)
{
    uint32_t scratch, larger;
    __asm__("ssub8 %0, %2, %3\n\tsel %1, %2, %3" : "=&r"(scratch), "=r"(larger) : "r"(a), "r"(b));
    return larger;
}

static inline uint32_t ts_dsp_min_s8(uint32_t a, uint32_t b)
{
    uint32_t scratch, smaller;
    __asm__("ssub8 %0, %2, %3\n\tsel %1, %3, %2" : "=&r"(scratch), "=r"(smaller) : "r"(a), "r"(b));
    return smaller;
}

static inline void ts_dsp_max_pixel_s8(const ts_pool_2d_params *p, const int8_t *window, int32_t height, int32_t width,
                                       int8_t *output)
{
    const uint32_t low = (uint32_t)(p->activation.min & 0xff) * 0x01010101u;
    const uint32_t high = (uint32_t)(p->activation.max & 0xff) * 0x01010101u;
    int32_t c = 0;
    for (; c + 4 <= p->window.input_channels; c += 4) {
        uint32_t most = low;
        const int8_t *row = window + c;
        for (int32_t y = 0; y < height; y++, row += p->window.input_width * p->window.input_channels) {
            const int8_t *in = row;
            for (int32_t x = 0; x < width; x++, in += p->window.input_channels) {
                most = ts_dsp_max_s8(most, ts_dsp_load_four(in));
            }
        }
        most = ts_dsp_min_s8(most, high);
        __builtin_memcpy(output + c, &most, sizeof most);
    }
    for (; c < p->window.input_channels; c++) {
        output[c] = ts_pool_2d_max_window_s8(p, window + c, height, width);
    }
}

static inline int8_t ts_dsp_mean_s8(const ts_pool_2d_params *p, int32_t sum, int32_t count, uint32_t reciprocal)
{
    return (int8_t)ts_activate(p->activation, ts_pool_2d_mean_s8(sum, count, reciprocal));
}

/* Up to 255 taps: sums in halves of a word. */
static inline void ts_dsp_average_pixel_s8(const ts_pool_2d_params *p, const int8_t *window, int32_t height,
                                           int32_t width, int8_t *output)
{
    const int32_t count = height * width;
    const uint32_t reciprocal = ts_pool_2d_reciprocal(count);
    int32_t c = 0;
    for (; c + 4 <= p->window.input_channels; c += 4) {
        uint32_t even = 0, odd = 0;
        const int8_t *row = window + c;
        for (int32_t y = 0; y < height; y++, row += p->window.input_width * p->window.input_channels) {
            const int8_t *in = row;
            for (int32_t x = 0; x < width; x++, in += p->window.input_channels) {
                const uint32_t four = ts_dsp_load_four(in);
                __asm__("sxtab16 %0, %0, %1" : "+r"(even) : "r"(four));
                __asm__("sxtab16 %0, %0, %1, ror #8" : "+r"(odd) : "r"(four));
            }
        }
        output[c] = ts_dsp_mean_s8(p, (int16_t)even, count, reciprocal);
        output[c + 1] = ts_dsp_mean_s8(p, (int16_t)odd, count, reciprocal);
        output[c + 2] = ts_dsp_mean_s8(p, (int16_t)(even >> 16), count, reciprocal);
        output[c + 3] = ts_dsp_mean_s8(p, (int16_t)(odd >> 16), count, reciprocal);
    }
    for (; c < p->window.input_channels; c++) {
        output[c] = ts_dsp_mean_s8(p, ts_pool_2d_sum_s8(p, window + c, height, width), count, reciprocal);
    }
}

static inline void ts_dsp_max_pool_2d_s8(const ts_pool_2d_params *p, const int8_t *input, int8_t *output)
{
    TS_POOL_2D_FOR_EACH_PIXEL(int8_t, ts_dsp_max_pixel_s8)
}

static inline void ts_dsp_average_pool_2d_s8(const ts_pool_2d_params *p, const int8_t *input, int8_t *output)
{
    TS_POOL_2D_FOR_EACH_PIXEL(int8_t, ts_dsp_average_pixel_s8)
}

#endif
