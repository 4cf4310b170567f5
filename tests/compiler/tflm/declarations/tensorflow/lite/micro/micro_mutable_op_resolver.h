/* SPDX-License-Identifier: Apache-2.0 */
/* See micro_interpreter.h. The resolver is a template, so that its code is the user's: written anew here. */
#pragma once

#include "tensorflow/lite/micro/micro_interpreter.h"
#include "tensorflow/lite/micro/micro_log.h"

TFLM_BEGIN

class BuiltinDataAllocator;
using Parser = TfLiteStatus (*)(const Operator *, BuiltinDataAllocator *, void **);

class MicroOpResolver
{
  public:
    virtual const TFLMRegistration *FindOp(BuiltinOperator code) const = 0;
    virtual const TFLMRegistration *FindOp(const char *name) const = 0;
    virtual Parser GetOpDataParser(BuiltinOperator code) const = 0;
    virtual ~MicroOpResolver()
    {
    }
};

/* The operators that tests use: method, registration, parser, code. */
#define TFLM_OPERATORS(X)                                                                                              \
    X(AddAdd, Register_ADD, ParseAdd, BuiltinOperator_ADD)                                                             \
    X(AddAssignVariable, Register_ASSIGN_VARIABLE, ParseAssignVariable, BuiltinOperator_ASSIGN_VARIABLE)               \
    X(AddAveragePool2D, Register_AVERAGE_POOL_2D, ParsePool, BuiltinOperator_AVERAGE_POOL_2D)                          \
    X(AddConv2D, Register_CONV_2D, ParseConv2D, BuiltinOperator_CONV_2D)                                               \
    X(AddDepthwiseConv2D, Register_DEPTHWISE_CONV_2D, ParseDepthwiseConv2D, BuiltinOperator_DEPTHWISE_CONV_2D)         \
    X(AddFullyConnected, Register_FULLY_CONNECTED, ParseFullyConnected, BuiltinOperator_FULLY_CONNECTED)               \
    X(AddReadVariable, Register_READ_VARIABLE, ParseReadVariable, BuiltinOperator_READ_VARIABLE)                       \
    X(AddReshape, Register_RESHAPE, ParseReshape, BuiltinOperator_RESHAPE)                                             \
    X(AddSoftmax, Register_SOFTMAX, ParseSoftmax, BuiltinOperator_SOFTMAX)                                             \
    X(AddVarHandle, Register_VAR_HANDLE, ParseVarHandle, BuiltinOperator_VAR_HANDLE)

#define DECLARE(method, registration, parser, code)                                                                    \
    TFLMRegistration registration();                                                                                   \
    TfLiteStatus parser(const Operator *, BuiltinDataAllocator *, void **);
TFLM_OPERATORS(DECLARE)
#undef DECLARE

template <unsigned int most> class MicroMutableOpResolver : public MicroOpResolver
{
  public:
#define METHOD(method, registration, parser, code)                                                                     \
    TfLiteStatus method()                                                                                              \
    {                                                                                                                  \
        return add(code, registration(), parser);                                                                      \
    }
    TFLM_OPERATORS(METHOD)
#undef METHOD

    const TFLMRegistration *FindOp(BuiltinOperator code) const override
    {
        for (unsigned int i = 0; i < count_; i++) {
            if (registrations_[i].builtin_code == code) {
                return &registrations_[i];
            }
        }
        return nullptr;
    }

    const TFLMRegistration *FindOp(const char *) const override
    {
        return nullptr;
    }

    Parser GetOpDataParser(BuiltinOperator code) const override
    {
        const TFLMRegistration *const found = FindOp(code);
        return found != nullptr ? parsers_[found - registrations_] : nullptr;
    }

  private:
    TfLiteStatus add(BuiltinOperator code, TFLMRegistration registration, Parser parser)
    {
        if (count_ >= most) {
            MicroPrintf("no place for another operator than the %u", most);
            return kTfLiteError;
        }
        registrations_[count_] = registration;
        registrations_[count_].builtin_code = code;
        parsers_[count_++] = parser;
        return kTfLiteOk;
    }

    TFLMRegistration registrations_[most];
    Parser parsers_[most];
    unsigned int count_ = 0;
};

TFLM_END
