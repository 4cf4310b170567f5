/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "arm_nn_types.h"
#include "cmsis_compiler.h"

#ifdef __cplusplus
extern "C"
#endif
    int8_t
    arm_scale_s8(int8_t value);
