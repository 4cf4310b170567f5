/* SPDX-License-Identifier: Apache-2.0 */
/* See micro_interpreter.h. */
#pragma once

#include "tensorflow/lite/micro/micro_allocator.h"

TFLM_BEGIN

class MicroResourceVariables
{
  public:
    static MicroResourceVariables *Create(MicroAllocator *allocator, int variables);
};

TFLM_END
