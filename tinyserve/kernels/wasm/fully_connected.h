/* SPDX-License-Identifier: Apache-2.0 */
/* FULLY_CONNECTED in WebAssembly: rows of inputs times weights. */
#ifndef TS_WASM_FULLY_CONNECTED_H
#define TS_WASM_FULLY_CONNECTED_H

#include <stdint.h>

#include "wasm/matmul.h"
#include "wasm/padded.h"

typedef struct {
    int32_t rows, depth, input_zero_point;
    ts_wasm_matmul matmul;
} ts_wasm_fully_connected_params;

/* Input [rows][depth], wide: TS_WASM_SLACK values more than it. */
static inline void ts_wasm_fully_connected_s8(const ts_wasm_fully_connected_params *p, const int8_t *input,
                                              int8_t *output, int16_t *wide)
{
    ts_wasm_widen(input, p->rows * p->depth, p->input_zero_point, wide);
    ts_wasm_row(&p->matmul, wide, p->depth, p->rows, output);
}

typedef struct {
    int32_t rows, depth;
    ts_wasm_matmul_f32 matmul;
} ts_wasm_fully_connected_f32_params;

static inline void ts_wasm_fully_connected_f32(const ts_wasm_fully_connected_f32_params *p, const float *input,
                                               float *output)
{
    ts_wasm_row_f32(&p->matmul, input, p->depth, p->rows, output);
}

#endif
