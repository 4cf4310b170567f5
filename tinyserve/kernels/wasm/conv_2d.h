/* SPDX-License-Identifier: Apache-2.0 */
/* CONV_2D in WebAssembly: windows of the padded image times weights, a row of outputs at a time. */
#ifndef TS_WASM_CONV_2D_H
#define TS_WASM_CONV_2D_H

#include <stddef.h>
#include <stdint.h>

#include "wasm/matmul.h"
#include "wasm/padded.h"

/* row_step and pixel_step: values of the padded image from one output row (pixel) to the next. */
typedef struct {
    int32_t batches;
    ts_wasm_image image;
    int32_t output_height, output_width, row_step, pixel_step;
    ts_wasm_matmul matmul;
} ts_wasm_conv_2d_params;

/* Input [batches][height][width][channels], padded: TS_WASM_SLACK values more than one padded image. */
static inline void ts_wasm_conv_2d_s8(const ts_wasm_conv_2d_params *p, const int8_t *input, int8_t *output,
                                      int16_t *padded)
{
    for (int32_t batch = 0; batch < p->batches; batch++) {
        ts_wasm_pad_s8(&p->image, input, padded);
        for (int32_t row = 0; row < p->output_height; row++) {
            ts_wasm_row(&p->matmul, padded + row * p->row_step, p->pixel_step, p->output_width, output);
            output += p->output_width * p->matmul.channels;
        }
        input += p->image.height * p->image.width * p->image.channels;
    }
}

typedef struct {
    int32_t batches;
    ts_wasm_image image;
    int32_t output_height, output_width, row_step, pixel_step;
    ts_wasm_matmul_f32 matmul;
} ts_wasm_conv_2d_f32_params;

/* padded is NULL where the image needs no padding. */
static inline void ts_wasm_conv_2d_f32(const ts_wasm_conv_2d_f32_params *p, const float *input, float *output,
                                       float *padded)
{
    for (int32_t batch = 0; batch < p->batches; batch++) {
        if (padded != NULL) {
            ts_wasm_pad_f32(&p->image, input, padded);
        }
        const float *image = padded != NULL ? padded : input;
        for (int32_t row = 0; row < p->output_height; row++) {
            ts_wasm_row_f32(&p->matmul, image + row * p->row_step, p->pixel_step, p->output_width, output);
            output += p->output_width * p->matmul.channels;
        }
        input += p->image.height * p->image.width * p->image.channels;
    }
}

#endif
