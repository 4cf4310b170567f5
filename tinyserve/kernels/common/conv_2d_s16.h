/* SPDX-License-Identifier: Apache-2.0 */
/* CONV_2D of int16 activations and int8 weights by patches, for cores with 16-bit dot products: what they share.
 *
 * The compiler has seen to it that no sum leaves 32 bits. Equals ts_conv_2d_s16 byte for byte. Padding is zeros, as the
 * zero point is. The output is written in ascending order, `pixels` of it after all of their inputs have been read. */
#ifndef TS_COMMON_CONV_2D_S16_H
#define TS_COMMON_CONV_2D_S16_H

#include <stdbool.h>
#include <stdint.h>

#include "fixed_point.h"
#include "params.h"
#include "window.h"

#if defined(__ARM_FEATURE_MVE)
#include "helium.h"
#endif

/* multipliers: with `narrow_sums` as in ts_requantize, with shifts; else m with (sum m + 2^31) >> 32, which is a
 * multiplier of 15 bits times 2^(32 - shift). weights: pairs of channels, weights_step bytes each, in the order of the
 * core's dot products. steps: of a patch. */
typedef struct {
    ts_sliding_window window;
    int32_t output_channels;
    ts_activation activation;
    int32_t steps, weights_step;
    const int8_t *weights;
    const int32_t *bias, *multipliers;
    const int8_t *shifts;
    bool narrow_sums;
} ts_conv_2d_s16_patches_params;

/* Scales the sums of a channel, one per pixel, and stores them. */
static inline void ts_finish_s16(const ts_conv_2d_s16_patches_params *p, const int32_t *sums, int32_t count,
                                 int32_t channel, int16_t *output)
{
    const int32_t bias = p->bias[channel], multiplier = p->multipliers[channel], step = p->output_channels;
    const int32_t low = p->activation.min, high = p->activation.max;
    output += channel;
    if (p->narrow_sums) {
        const int32_t shift = p->shifts[channel];
        for (; count > 0; count--, output += step) {
            *output = (int16_t)ts_clamp(ts_requantize(*sums++ + bias, multiplier, shift), low, high);
        }
        return;
    }
#if defined(__ARM_FEATURE_MVE) /* up to four pixels as a vector; VRMULH rounds as this does */
    const mve_pred16_t lanes = vctp32q((uint32_t)count);
    const uint32x4_t pixels = vmulq_n_u32(vidupq_n_u32(0, 1), (uint32_t)step);
    int32x4_t scaled = vrmulhq_s32(vaddq_n_s32(vldrwq_z_s32(sums, lanes), bias), vdupq_n_s32(multiplier));
    scaled = vminq_s32(vmaxq_s32(scaled, vdupq_n_s32(low)), vdupq_n_s32(high));
    vstrhq_scatter_shifted_offset_p_s32(output, pixels, scaled, lanes);
#elif defined(__ARM_FEATURE_DSP)
    for (; count > 0; count--, output += step) {
        const int64_t product = (int64_t)(*sums++ + bias) * multiplier;
        *output = (int16_t)ts_clamp((int32_t)((product + INT64_C(0x80000000)) >> 32), low, high);
    }
#else /* in two products of 32 bits: floors compose */
    const int32_t shift = p->shifts[channel], factor = multiplier >> (32 - shift), half = 1 << (shift - 17);
    for (; count > 0; count--, output += step) {
        const int32_t sum = *sums++ + bias;
        const int32_t lower = (int32_t)(((uint32_t)sum & 0xffff) * (uint32_t)factor >> 16);
        *output = (int16_t)ts_clamp(((sum >> 16) * factor + lower + half) >> (shift - 16), low, high);
    }
#endif
}

/* Taps of each of a filter's rows that lie before the image, in it and behind it. */
typedef struct {
    int32_t before, inside, after;
} ts_runs_s16;

/* Of a filter whose taps lie side by side, the first in column `left`. */
static inline ts_runs_s16 ts_runs_at_s16(const ts_sliding_window *window, int32_t left)
{
    const int32_t taps = window->filter_width, before = ts_min(ts_max(-left, 0), taps);
    const int32_t inside = ts_clamp(window->input_width - left - before, 0, taps - before);
    return (ts_runs_s16){before, inside, taps - before - inside};
}

/* Calls put(patch, steps, pixel, tap, source, count) for every run of a pixel's taps; source is NULL outside of the
 * image. */
#define TS_PATCH_S16(p, input, top, left, patch, pixel, put)                                                           \
    do {                                                                                                               \
        const int32_t channels_ = (p)->window.input_channels, row_ = (p)->window.input_width * channels_;              \
        const int32_t width_ = (p)->window.filter_width, dilation_ = (p)->window.dilation_width;                       \
        const ts_runs_s16 runs_ = ts_runs_at_s16(&(p)->window, left);                                                  \
        for (int32_t fy_ = 0, tap_ = 0; fy_ < (p)->window.filter_height; fy_++, tap_ += width_ * channels_) {          \
            const int32_t y_ = (top) + fy_ * (p)->window.dilation_height, at_ = y_ * row_ + (left)*channels_;          \
            if (y_ < 0 || y_ >= (p)->window.input_height) {                                                            \
                put(patch, (p)->steps, pixel, tap_, 0, width_ *channels_);                                             \
            } else if (dilation_ == 1 && runs_.inside == width_) {                                                     \
                put(patch, (p)->steps, pixel, tap_, (input) + at_, width_ * channels_);                                \
            } else if (dilation_ == 1) {                                                                               \
                const int32_t before_ = runs_.before * channels_, inside_ = runs_.inside * channels_;                  \
                if (runs_.before > 0) {                                                                                \
                    put(patch, (p)->steps, pixel, tap_, 0, before_);                                                   \
                }                                                                                                      \
                if (runs_.inside > 0) {                                                                                \
                    put(patch, (p)->steps, pixel, tap_ + before_, (input) + at_ + before_, inside_);                   \
                }                                                                                                      \
                if (runs_.after > 0) {                                                                                 \
                    put(patch, (p)->steps, pixel, tap_ + before_ + inside_, 0, runs_.after * channels_);               \
                }                                                                                                      \
            } else {                                                                                                   \
                for (int32_t fx_ = 0, x_ = (left); fx_ < width_; fx_++, x_ += dilation_) {                             \
                    const bool there_ = x_ >= 0 && x_ < (p)->window.input_width;                                       \
                    put(patch, (p)->steps, pixel, tap_ + fx_ * channels_,                                              \
                        there_ ? (input) + at_ + fx_ * dilation_ * channels_ : 0, channels_);                          \
                }                                                                                                      \
            }                                                                                                          \
        }                                                                                                              \
    } while (0)

/* For dot products that start from 0. */
#define TS_NO_START_S16(patch, steps, start) (void)(start)

/* The kernel NAME: patches of PIXELS pixels, filled by PUT, times pairs of channels by DOTS(weights, patch, steps,
 * start, sums), which gives [2][PIXELS] sums; START(patch, steps, start) has said where they start. PATCH is the
 * patch's type. The last patch may hold pixels of the one before. */
#define TS_CONV_2D_S16_PATCHES(NAME, PIXELS, PATCH, PUT, START, DOTS, SHARED)                                          \
    SHARED void NAME##_multiply(const ts_conv_2d_s16_patches_params *p, const PATCH *patch, int32_t count,             \
                                int16_t *output)                                                                       \
    {                                                                                                                  \
        const int8_t *weights = p->weights;                                                                            \
        int32_t start[PIXELS];                                                                                         \
        START(patch, p->steps, start);                                                                                 \
        for (int32_t channel = 0; channel < p->output_channels; channel += 2, weights += p->weights_step) {            \
            int32_t sums[2][PIXELS];                                                                                   \
            DOTS(weights, patch, p->steps, start, sums[0]);                                                            \
            const int32_t channels = p->output_channels - channel < 2 ? 1 : 2;                                         \
            for (int32_t i = 0; i < channels; i++) {                                                                   \
                ts_finish_s16(p, sums[i], count, channel + i, output);                                                 \
            }                                                                                                          \
        }                                                                                                              \
    }                                                                                                                  \
    SHARED void NAME(const ts_conv_2d_s16_patches_params *p, const int16_t *input, int16_t *output, PATCH *patch)      \
    {                                                                                                                  \
        int32_t filled = 0;                                                                                            \
        for (int32_t batch = 0; batch < p->window.batches; batch++) {                                                  \
            for (int32_t y = 0; y < p->window.output_height; y++) {                                                    \
                const int32_t top = ts_window_top(&p->window, y);                                                      \
                for (int32_t x = 0; x < p->window.output_width; x++) {                                                 \
                    const int32_t left = ts_window_left(&p->window, x);                                                \
                    TS_PATCH_S16(p, input, top, left, patch, filled, PUT);                                             \
                    if (++filled == PIXELS) {                                                                          \
                        NAME##_multiply(p, patch, PIXELS, output);                                                     \
                        output += PIXELS * p->output_channels;                                                         \
                        filled = 0;                                                                                    \
                    }                                                                                                  \
                }                                                                                                      \
            }                                                                                                          \
            input += p->window.input_height * p->window.input_width * p->window.input_channels;                        \
        }                                                                                                              \
        if (filled > 0) {                                                                                              \
            NAME##_multiply(p, patch, filled, output);                                                                 \
        }                                                                                                              \
    }

#endif
