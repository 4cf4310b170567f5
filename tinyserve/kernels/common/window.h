/* SPDX-License-Identifier: Apache-2.0 */
/* Windows that slide over images, and which of their taps lie inside. */
#ifndef TS_COMMON_WINDOW_H
#define TS_COMMON_WINDOW_H

#include <stdint.h>

/* Taps begin <= tap < end read inside; tap t reads at origin + t * dilation. */
typedef struct {
    int32_t begin;
    int32_t end;
} ts_taps;

static inline ts_taps ts_taps_inside(int32_t origin, int32_t extent, int32_t taps, int32_t dilation)
{
    ts_taps inside = {0, taps};
    while (inside.begin < inside.end && origin + inside.begin * dilation < 0) {
        inside.begin++;
    }
    while (inside.end > inside.begin && origin + (inside.end - 1) * dilation >= extent) {
        inside.end--;
    }
    return inside;
}

/* A window over [batches][input_height][input_width][input_channels]; padding is zero points around the input. */
typedef struct {
    int32_t batches;
    int32_t input_height, input_width, input_channels;
    int32_t filter_height, filter_width;
    int32_t output_height, output_width;
    int32_t stride_height, stride_width;
    int32_t dilation_height, dilation_width;
    int32_t pad_top, pad_left;
} ts_sliding_window;

/* The input row of the first tap of output row oy; above the image it is negative. */
static inline int32_t ts_window_top(const ts_sliding_window *window, int32_t oy)
{
    return oy * window->stride_height - window->pad_top;
}

static inline int32_t ts_window_left(const ts_sliding_window *window, int32_t ox)
{
    return ox * window->stride_width - window->pad_left;
}

/* The taps from input row `top` on that lie inside. */
static inline ts_taps ts_window_rows(const ts_sliding_window *window, int32_t top)
{
    return ts_taps_inside(top, window->input_height, window->filter_height, window->dilation_height);
}

static inline ts_taps ts_window_columns(const ts_sliding_window *window, int32_t left)
{
    return ts_taps_inside(left, window->input_width, window->filter_width, window->dilation_width);
}

#endif
