/* SPDX-License-Identifier: Apache-2.0 */
/* A tensor as the protocols see it. The layout is part of a model image's interface: widths are fixed. */
#ifndef TENSOR_IO_H
#define TENSOR_IO_H

#include <stdint.h>

enum { ELEMENT_SIGNED = 0, ELEMENT_UNSIGNED = 1, ELEMENT_FLOAT = 2 };

/* real = (stored - zero_point) * scale_mantissa * 2^scale_exponent; tensors without quantization have the scale 1. */
typedef struct {
    uint32_t bytes;
    uint8_t element_bytes;
    uint8_t kind;      /* ELEMENT_... */
    uint16_t channels; /* of the last axis */
    int32_t zero_point;
    uint32_t scale_mantissa;
    int32_t scale_exponent;
} tensor_io;

#endif
