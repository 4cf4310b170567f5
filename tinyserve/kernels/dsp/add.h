/* SPDX-License-Identifier: Apache-2.0 */
/* ADD and SUB int8 for inputs of one shape, see add.S. Equal to ts_add_s8; all of int8 must be allowed as output. */
#ifndef TS_DSP_ADD_H
#define TS_DSP_ADD_H

#include <stdint.h>

#include "common.h"

#ifdef __cplusplus
extern "C" {
#endif

/* table: twice the scaled value of the looked-up input (negated to subtract it), the plain input's offset added.
 * rounding: (2 * zero point + 1) << shift; shift: one less than the right shift. */
typedef struct {
    int32_t elements;
    const int32_t *table;
    int32_t multiplier, rounding, shift;
} ts_dsp_add_params;

void ts_dsp_add_s8(const ts_dsp_add_params *p, const int8_t *plain, const int8_t *looked_up, int8_t *output);
void ts_dsp_add_relu_s8(const ts_dsp_add_params *p, const int8_t *plain, const int8_t *looked_up, int8_t *output);

#ifdef __cplusplus
}
#endif

#endif
