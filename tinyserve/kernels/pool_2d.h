/* SPDX-License-Identifier: Apache-2.0 */
/* AVERAGE_POOL_2D, MAX_POOL_2D and L2_POOL_2D over [batches][height][width][channels]. Padding takes part in neither:
 * the window is cut at the border. Input and output share scale and zero point. */
#ifndef TS_POOL_2D_H
#define TS_POOL_2D_H

#include <stdint.h>

#include "common/fixed_point.h"
#include "common/math.h"
#include "common/params.h"
#include "common/window.h"

typedef struct {
    ts_sliding_window window; /* undilated */
    ts_activation activation;
} ts_pool_2d_params;

typedef struct {
    ts_sliding_window window; /* undilated */
    ts_activation_f32 activation;
} ts_pool_2d_f32_params;

/* Calls PIXEL(p, window, taps below and to the right, output) for all channels of each output pixel in ascending order.
 */
#define TS_POOL_2D_FOR_EACH_PIXEL(T, PIXEL)                                                                            \
    const int32_t row_elements = p->window.input_width * p->window.input_channels;                                     \
    for (int32_t b = 0; b < p->window.batches; b++, input += p->window.input_height * row_elements) {                  \
        for (int32_t oy = 0; oy < p->window.output_height; oy++) {                                                     \
            const int32_t y0 = ts_window_top(&p->window, oy);                                                          \
            const ts_taps rows = ts_taps_inside(y0, p->window.input_height, p->window.filter_height, 1);               \
            for (int32_t ox = 0; ox < p->window.output_width; ox++, output += p->window.input_channels) {              \
                const int32_t x0 = ts_window_left(&p->window, ox);                                                     \
                const ts_taps columns = ts_taps_inside(x0, p->window.input_width, p->window.filter_width, 1);          \
                const T *window =                                                                                      \
                    input + (y0 + rows.begin) * row_elements + (x0 + columns.begin) * p->window.input_channels;        \
                PIXEL(p, window, rows.end - rows.begin, columns.end - columns.begin, output);                          \
            }                                                                                                          \
        }                                                                                                              \
    }

/* The same where each channel is REDUCE(p, window, taps below and to the right). */
#define TS_POOL_2D_FOR_EACH(T, REDUCE)                                                                                 \
    const int32_t row_elements = p->window.input_width * p->window.input_channels;                                     \
    for (int32_t b = 0; b < p->window.batches; b++, input += p->window.input_height * row_elements) {                  \
        for (int32_t oy = 0; oy < p->window.output_height; oy++) {                                                     \
            const int32_t y0 = ts_window_top(&p->window, oy);                                                          \
            const ts_taps rows = ts_taps_inside(y0, p->window.input_height, p->window.filter_height, 1);               \
            for (int32_t ox = 0; ox < p->window.output_width; ox++) {                                                  \
                const int32_t x0 = ts_window_left(&p->window, ox);                                                     \
                const ts_taps columns = ts_taps_inside(x0, p->window.input_width, p->window.filter_width, 1);          \
                const T *window =                                                                                      \
                    input + (y0 + rows.begin) * row_elements + (x0 + columns.begin) * p->window.input_channels;        \
                for (int32_t c = 0; c < p->window.input_channels; c++) {                                               \
                    *output++ = REDUCE(p, window + c, rows.end - rows.begin, columns.end - columns.begin);             \
                }                                                                                                      \
            }                                                                                                          \
        }                                                                                                              \
    }

/* The mean of count values, rounded to nearest with ties away from zero. */
static inline int32_t ts_pool_2d_mean(int32_t sum, int32_t count)
{
    return (sum > 0 ? sum + count / 2 : sum - count / 2) / count;
}

/* Windows of int8 up to this size have a reciprocal: 129 count^2 < 2^24, and 129 * 2^24 fits in 32 bits. */
#define TS_POOL_2D_MOST_TAPS 360

/* 2^24 / count, rounded up: division once for a pixel, not for each channel. */
static inline uint32_t ts_pool_2d_reciprocal(int32_t count)
{
    return ((1u << 24) + (uint32_t)count - 1) / (uint32_t)count;
}

/* ts_pool_2d_mean of int8. */
static inline int32_t ts_pool_2d_mean_s8(int32_t sum, int32_t count, uint32_t reciprocal)
{
    const uint32_t magnitude = (uint32_t)(sum > 0 ? sum : -sum) + ((uint32_t)count >> 1);
    const int32_t mean = (int32_t)((magnitude * reciprocal) >> 24);
    return sum > 0 ? mean : -mean;
}

/* accumulator = STEP(accumulator, value) for each value of one channel in a window. */
#define TS_POOL_2D_OVER_WINDOW(accumulator, STEP)                                                                      \
    for (int32_t y = 0; y < height; y++, in += p->window.input_width * p->window.input_channels) {                     \
        for (int32_t x = 0; x < width; x++) {                                                                          \
            accumulator = STEP(accumulator, in[x * p->window.input_channels]);                                         \
        }                                                                                                              \
    }

#define TS_POOL_2D_ADD(sum, value) ((sum) + (value))
#define TS_POOL_2D_ADD_SQUARE(sum, value) ((sum) + (value) * (value))
#define TS_POOL_2D_GREATER(max, value) ((value) > (max) ? (value) : (max))

static inline int32_t ts_pool_2d_sum_s8(const ts_pool_2d_params *p, const int8_t *in, int32_t height, int32_t width)
{
    int32_t sum = 0;
    TS_POOL_2D_OVER_WINDOW(sum, TS_POOL_2D_ADD)
    return sum;
}

static inline int8_t ts_pool_2d_average_window_s8(const ts_pool_2d_params *p, const int8_t *in, int32_t height,
                                                  int32_t width)
{
    const int32_t mean = ts_pool_2d_mean(ts_pool_2d_sum_s8(p, in, height, width), height * width);
    return (int8_t)ts_activate(p->activation, mean);
}

static inline void ts_pool_2d_average_pixel_s8(const ts_pool_2d_params *p, const int8_t *window, int32_t height,
                                               int32_t width, int8_t *output)
{
    const int32_t count = height * width;
    const uint32_t reciprocal = count > TS_POOL_2D_MOST_TAPS ? 0 : ts_pool_2d_reciprocal(count);
    for (int32_t c = 0; c < p->window.input_channels; c++) {
        const int32_t sum = ts_pool_2d_sum_s8(p, window + c, height, width);
        const int32_t mean = reciprocal == 0 ? ts_pool_2d_mean(sum, count) : ts_pool_2d_mean_s8(sum, count, reciprocal);
        output[c] = (int8_t)ts_activate(p->activation, mean);
    }
}

static inline int16_t ts_pool_2d_average_window_s16(const ts_pool_2d_params *p, const int16_t *in, int32_t height,
                                                    int32_t width)
{
    int32_t sum = 0;
    TS_POOL_2D_OVER_WINDOW(sum, TS_POOL_2D_ADD)
    return (int16_t)ts_activate(p->activation, ts_pool_2d_mean(sum, height * width));
}

static inline float ts_pool_2d_average_window_f32(const ts_pool_2d_f32_params *p, const float *in, int32_t height,
                                                  int32_t width)
{
    float sum = 0.0f;
    TS_POOL_2D_OVER_WINDOW(sum, TS_POOL_2D_ADD)
    const float mean = sum / (float)(height * width);
    return ts_activate_f32(p->activation, mean);
}

static inline float ts_pool_2d_l2_window_f32(const ts_pool_2d_f32_params *p, const float *in, int32_t height,
                                             int32_t width)
{
    float sum = 0.0f;
    TS_POOL_2D_OVER_WINDOW(sum, TS_POOL_2D_ADD_SQUARE)
    const float norm = ts_sqrtf(sum / (float)(height * width));
    return ts_activate_f32(p->activation, norm);
}

static inline int8_t ts_pool_2d_max_window_s8(const ts_pool_2d_params *p, const int8_t *in, int32_t height,
                                              int32_t width)
{
    int32_t max = INT8_MIN;
    TS_POOL_2D_OVER_WINDOW(max, ts_max)
    return (int8_t)ts_activate(p->activation, max);
}

static inline int16_t ts_pool_2d_max_window_s16(const ts_pool_2d_params *p, const int16_t *in, int32_t height,
                                                int32_t width)
{
    int32_t max = INT16_MIN;
    TS_POOL_2D_OVER_WINDOW(max, ts_max)
    return (int16_t)ts_activate(p->activation, max);
}

static inline float ts_pool_2d_max_window_f32(const ts_pool_2d_f32_params *p, const float *in, int32_t height,
                                              int32_t width)
{
    float max = -TS_FLOAT_MAX; /* what is not a number is passed over */
    TS_POOL_2D_OVER_WINDOW(max, TS_POOL_2D_GREATER)
    return ts_activate_f32(p->activation, max);
}

/* int8, equal to TFLM's reference_integer_ops::AveragePool. */
static inline void ts_average_pool_2d_s8(const ts_pool_2d_params *p, const int8_t *input, int8_t *output)
{
#if defined(__ARM_FEATURE_IDIV) || defined(__riscv_div) /* a division is an instruction */
    TS_POOL_2D_FOR_EACH(int8_t, ts_pool_2d_average_window_s8)
#else
    TS_POOL_2D_FOR_EACH_PIXEL(int8_t, ts_pool_2d_average_pixel_s8)
#endif
}

/* int16, equal to TFLM's reference_integer_ops::AveragePool. */
static inline void ts_average_pool_2d_s16(const ts_pool_2d_params *p, const int16_t *input, int16_t *output)
{
    TS_POOL_2D_FOR_EACH(int16_t, ts_pool_2d_average_window_s16)
}

/* float32, as TFLM's reference_ops::AveragePool. */
static inline void ts_average_pool_2d_f32(const ts_pool_2d_f32_params *p, const float *input, float *output)
{
    TS_POOL_2D_FOR_EACH(float, ts_pool_2d_average_window_f32)
}

/* float32, as TFLM's reference_ops::L2Pool: the root of the mean of squares. */
static inline void ts_l2_pool_2d_f32(const ts_pool_2d_f32_params *p, const float *input, float *output)
{
    TS_POOL_2D_FOR_EACH(float, ts_pool_2d_l2_window_f32)
}

/* int8, equal to TFLM's reference_integer_ops::MaxPool. */
static inline void ts_max_pool_2d_s8(const ts_pool_2d_params *p, const int8_t *input, int8_t *output)
{
    TS_POOL_2D_FOR_EACH(int8_t, ts_pool_2d_max_window_s8)
}

/* int16, equal to TFLM's reference_integer_ops::MaxPool. */
static inline void ts_max_pool_2d_s16(const ts_pool_2d_params *p, const int16_t *input, int16_t *output)
{
    TS_POOL_2D_FOR_EACH(int16_t, ts_pool_2d_max_window_s16)
}

/* float32, as TFLM's reference_ops::MaxPool. */
static inline void ts_max_pool_2d_f32(const ts_pool_2d_f32_params *p, const float *input, float *output)
{
    TS_POOL_2D_FOR_EACH(float, ts_pool_2d_max_window_f32)
}

#endif
