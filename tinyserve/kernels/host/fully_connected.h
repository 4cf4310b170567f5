/* SPDX-License-Identifier: Apache-2.0 */
/* FULLY_CONNECTED on the host: rows of inputs times weights. */
#ifndef TS_HOST_FULLY_CONNECTED_H
#define TS_HOST_FULLY_CONNECTED_H

#include <stdint.h>

#include "host/matmul.h"
#include "host/matmul_f32.h"
#include "host/padded.h"

typedef struct {
    int32_t rows, depth;
    ts_host_matmul matmul;
} ts_host_fully_connected_params;

/* Input [rows][depth], bytes: TS_HOST_SLACK more than it. */
static inline void ts_host_fully_connected_s8(const ts_host_fully_connected_params *p, const int8_t *input,
                                              int8_t *output, uint8_t *bytes)
{
    ts_host_shift(bytes, input, p->rows * p->depth);
    ts_host_row(&p->matmul, bytes, p->depth, p->rows, output);
}

typedef struct {
    int32_t rows, depth;
    ts_host_matmul_f32 matmul;
} ts_host_fully_connected_f32_params;

static inline void ts_host_fully_connected_f32(const ts_host_fully_connected_f32_params *p, const float *input,
                                               float *output)
{
    ts_host_row_f32(&p->matmul, input, p->depth, p->rows, output);
}

#endif
