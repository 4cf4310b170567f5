/* SPDX-License-Identifier: Apache-2.0 */
#include "tensorflow/lite/micro/kernels/scale.h"

#include "Include/arm_nnfunctions.h"

#if !defined(CMSIS_NN)
#error "headers that know CMSIS-NN are not to be had without the macro"
#endif

int8_t scale(int8_t value)
{
    return arm_scale_s8(value);
}
