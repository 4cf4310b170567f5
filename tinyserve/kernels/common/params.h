/* SPDX-License-Identifier: Apache-2.0 */
/* What the parameters of several kernels share, by the names that TFLM gives them. */
#ifndef TS_COMMON_PARAMS_H
#define TS_COMMON_PARAMS_H

#include <stdint.h>

#include "fixed_point.h"

/* What brings the sums of output channels to the output's scale: step is 1 for a factor per channel, 0 for one of all.
 */
typedef struct {
    int32_t step;
    const int32_t *multipliers;
    const int8_t *shifts;
} ts_requantization;

static inline ts_factor ts_factor_of(ts_requantization requantization, int32_t channel)
{
    const int32_t at = channel * requantization.step;
    const ts_factor factor = {requantization.multipliers[at], requantization.shifts[at]};
    return factor;
}

/* The least and the greatest output: the fused activation's, or the type's. */
typedef struct {
    int32_t min, max;
} ts_activation;

static inline int32_t ts_activate(ts_activation activation, int32_t value)
{
    return ts_clamp(value, activation.min, activation.max);
}

typedef struct {
    float min, max;
} ts_activation_f32;

/* What is not a number stays so, as in TFLM. */
static inline float ts_activate_f32(ts_activation_f32 activation, float value)
{
    const float raised = value < activation.min ? activation.min : value;
    return raised > activation.max ? activation.max : raised;
}

#endif
