/* SPDX-License-Identifier: Apache-2.0 */
/* See micro_interpreter.h. */
#pragma once

#include "tensorflow/lite/micro/micro_interpreter.h"

TFLM_BEGIN

enum class MemoryPlannerType { kGreedy, kLinear };

class MicroAllocator
{
  public:
    static MicroAllocator *Create(uint8_t *arena, size_t size, MemoryPlannerType planner = MemoryPlannerType::kGreedy);
};

TFLM_END
