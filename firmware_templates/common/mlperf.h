/* SPDX-License-Identifier: Apache-2.0 */
/* What MLPerf Tiny's runner sends and expects where that is not the model's own bytes: pixels from 0 to 255 for ic01
 * and vww01, float32 values for ad01, whose result is the error of the reconstruction. */
#ifndef MLPERF_H
#define MLPERF_H

#include <stdint.h>

#include "config.h"
#include "model_io.h"

extern uint8_t mlperf_floats[CONFIG_MLPERF_FLOATS * 4u + 1u];

/* As a float, rounded in its last digits. */
float mlperf_scale_of(const tensor_io *t);

/* Quantizes what lies in mlperf_floats. */
void mlperf_quantize(uint8_t *input);

/* Pixels to the int8 values of a model: 0 to 255 become -128 to 127. */
void mlperf_shift_pixels(uint8_t *input, uint32_t count);

/* The mean square of output 0 minus input 0, in real values; of the float32 values where they were sent. */
float mlperf_reconstruction_error(const uint8_t *input, const uint8_t *output, int from_floats);

#endif
