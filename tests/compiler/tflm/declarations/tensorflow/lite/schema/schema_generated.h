/* SPDX-License-Identifier: Apache-2.0 */
/* See micro_interpreter.h. The schema has stayed in tflite. */
#pragma once

#include <cstdint>
#include <cstring>

namespace tflite
{

struct Model;
struct Operator;

enum BuiltinOperator : int32_t {
    BuiltinOperator_ADD = 0,
    BuiltinOperator_AVERAGE_POOL_2D = 1,
    BuiltinOperator_CONV_2D = 3,
    BuiltinOperator_DEPTHWISE_CONV_2D = 4,
    BuiltinOperator_FULLY_CONNECTED = 9,
    BuiltinOperator_RESHAPE = 22,
    BuiltinOperator_SOFTMAX = 25,
    BuiltinOperator_VAR_HANDLE = 142,
    BuiltinOperator_READ_VARIABLE = 143,
    BuiltinOperator_ASSIGN_VARIABLE = 144,
};

/* A FlatBuffer begins with the offset of its root. */
inline const Model *GetModel(const void *data)
{
    uint32_t offset;
    std::memcpy(&offset, data, sizeof offset);
    return reinterpret_cast<const Model *>(static_cast<const char *>(data) + offset);
}

} // namespace tflite
