/* SPDX-License-Identifier: Apache-2.0 */
/* AVERAGE_POOL_2D and MAX_POOL_2D, int8, for Helium: 16 channels at a time. */
#ifndef TS_MVE_POOL_2D_H
#define TS_MVE_POOL_2D_H

#include "../pool_2d.h"
#include "matmul.h"

#define TS_MVE_FEW_TAPS 6 /* of an average: four channels at a time */

TS_MVE_INLINE void ts_mve_max_pixel_s8(const ts_pool_2d_params *p, const int8_t *window, int32_t height, int32_t width,
                                       int8_t *output)
{
    const int8x16_t low = vdupq_n_s8((int8_t)p->activation.min), high = vdupq_n_s8((int8_t)p->activation.max);
    for (int32_t c = 0; c < p->window.input_channels; c += 16) {
        const mve_pred16_t lanes = vctp8q((uint32_t)(p->window.input_channels - c));
        int8x16_t most = low;
        const int8_t *row = window + c;
        for (int32_t y = 0; y < height; y++, row += p->window.input_width * p->window.input_channels) {
            const int8_t *in = row;
            for (int32_t x = 0; x < width; x++, in += p->window.input_channels) {
                most = vmaxq_s8(most, vldrbq_z_s8(in, lanes));
            }
        }
        TS_STORE_LANES(vstrbq_p_s8, output + c, vminq_s8(most, high), lanes);
    }
}

/* (sum +- count / 2) / count, towards zero. reciprocal: 2^32 / count rounded up, exact for windows of at most 255 taps
 * (129 count^2 < 2^32); a count of 1 has none. */
TS_MVE_INLINE int32x4_t ts_mve_mean(int32x4_t sum, int32_t count, uint32_t reciprocal)
{
    if (count == 1) {
        return sum;
    }
    const uint32x4_t magnitude = vaddq_n_u32(vreinterpretq_u32_s32(vabsq_s32(sum)), (uint32_t)count / 2);
    const int32x4_t mean = vreinterpretq_s32_u32(vmulhq_u32(magnitude, vdupq_n_u32(reciprocal)));
    return vpselq_s32(mean, vnegq_s32(mean), vcmpgtq_n_s32(sum, 0));
}

/* Sums of up to 16 channels, each of at most 255 taps: they fit in 16 bits. */
TS_MVE_INLINE void ts_mve_sum_window_s8(const ts_pool_2d_params *p, const int8_t *row, int32_t height, int32_t width,
                                        int32_t channels, int16_t *sums)
{
    const mve_pred16_t first = vctp16q((uint32_t)channels), second = channels > 8 ? vctp16q((uint32_t)channels - 8) : 0;
    int16x8_t low = vdupq_n_s16(0), high = low;
    for (int32_t y = 0; y < height; y++, row += p->window.input_width * p->window.input_channels) {
        const int8_t *in = row;
        for (int32_t x = 0; x < width; x++, in += p->window.input_channels) {
            low = vaddq_s16(low, vldrbq_z_s16(in, first));
            high = vaddq_s16(high, vldrbq_z_s16(in + 8, second));
        }
    }
    vstrhq_s16(sums, low);
    vstrhq_s16(sums + 8, high);
}

/* Of 4 channels, for windows of so few taps that what comes after them counts. */
TS_MVE_INLINE int32x4_t ts_mve_sum_small_s8(const ts_pool_2d_params *p, const int8_t *row, int32_t height,
                                            int32_t width, mve_pred16_t lanes)
{
    int32x4_t sum = vdupq_n_s32(0);
    for (int32_t y = 0; y < height; y++, row += p->window.input_width * p->window.input_channels) {
        const int8_t *in = row;
        for (int32_t x = 0; x < width; x++, in += p->window.input_channels) {
            sum = vaddq_s32(sum, vldrbq_z_s32(in, lanes));
        }
    }
    return sum;
}

TS_MVE_INLINE void ts_mve_average_pixel_s8(const ts_pool_2d_params *p, const int8_t *window, int32_t height,
                                           int32_t width, int8_t *output)
{
    const int32x4_t low = vdupq_n_s32(p->activation.min), high = vdupq_n_s32(p->activation.max);
    const int32_t count = height * width, few = count < TS_MVE_FEW_TAPS;
    const uint32_t reciprocal = UINT32_MAX / (uint32_t)count + 1;
    int16_t sums[16];
    for (int32_t c = 0; c < p->window.input_channels; c += 4) {
        const int32_t left = p->window.input_channels - c;
        const mve_pred16_t lanes = vctp32q((uint32_t)left);
        if (!few && (c & 15) == 0) {
            ts_mve_sum_window_s8(p, window + c, height, width, left < 16 ? left : 16, sums);
        }
        const int32x4_t sum =
            few ? ts_mve_sum_small_s8(p, window + c, height, width, lanes) : vldrhq_s32(sums + (c & 15));
        const int32x4_t mean = ts_mve_mean(sum, count, reciprocal);
        TS_STORE_LANES(vstrbq_p_s32, output + c, vminq_s32(vmaxq_s32(mean, low), high), lanes);
    }
}

static inline void ts_mve_max_pool_2d_s8(const ts_pool_2d_params *p, const int8_t *input, int8_t *output)
{
    TS_POOL_2D_FOR_EACH_PIXEL(int8_t, ts_mve_max_pixel_s8)
}

static inline void ts_mve_average_pool_2d_s8(const ts_pool_2d_params *p, const int8_t *input, int8_t *output)
{
    TS_POOL_2D_FOR_EACH_PIXEL(int8_t, ts_mve_average_pixel_s8)
}

#endif
