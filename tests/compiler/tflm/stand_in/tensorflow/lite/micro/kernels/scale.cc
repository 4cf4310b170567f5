/* SPDX-License-Identifier: Apache-2.0 */
#include "tensorflow/lite/micro/kernels/scale.h"

#include "flatbuffers/flatbuffers.h"

int8_t scale(int8_t value)
{
    return static_cast<int8_t>(value + FLATBUFFERS_ZERO);
}
