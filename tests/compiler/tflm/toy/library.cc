/* SPDX-License-Identifier: Apache-2.0 */
/* Stands for the TFLM library in builds for cores that there is no library of: one input and one output of 8 bytes,
 * output = input + number of operators added, and a reset that is seen. It reads the model only as far as its address. */
#include <cstring>
#include <new>

#include "tensorflow/lite/micro/micro_mutable_op_resolver.h"

#if !defined(TF_LITE_STRIP_ERROR_STRINGS)
__attribute__((weak)) void MicroPrintf(const char *, ...) {}
#endif

TFLM_BEGIN

namespace {

struct State {
    const MicroOpResolver *resolver;
    uint8_t *arena;
    size_t arena_size;
    TfLiteTensor tensors[2];
    uint8_t invokes;
};

constexpr size_t kNeeded = 64;

}  // namespace

static State *state_of(void **place)
{
    return static_cast<State *>(static_cast<void *>(place));
}

MicroInterpreter::MicroInterpreter(
    const Model *model, const MicroOpResolver &resolver, uint8_t *arena, size_t arena_size, MicroResourceVariables *,
    MicroProfilerInterface *, bool)
{
    static_assert(sizeof(State) <= sizeof state_);
    State *const state = new (state_) State();
    state->resolver = model != nullptr ? &resolver : nullptr;
    state->arena = arena;
    state->arena_size = arena_size;
}

MicroInterpreter::~MicroInterpreter() {}

TfLiteStatus MicroInterpreter::AllocateTensors()
{
    State *const state = state_of(state_);
    if (state->arena_size < kNeeded || state->resolver == nullptr) {
        return kTfLiteError;
    }
    for (int i = 0; i < 2; i++) {
        state->tensors[i].data.data = state->arena + 16 * i;
    }
    return kTfLiteOk;
}

TfLiteStatus MicroInterpreter::Invoke()
{
    State *const state = state_of(state_);
    const BuiltinOperator codes[] = {BuiltinOperator_ADD, BuiltinOperator_SOFTMAX};
    int known = 0;
    for (const BuiltinOperator code : codes) {
        known += state->resolver->FindOp(code) != nullptr ? 1 : 0;
    }
    state->invokes++;
    int8_t *const output = state->tensors[1].data.int8;
    std::memcpy(output, state->tensors[0].data.data, 8);
    output[0] = static_cast<int8_t>(output[0] + known);
    output[7] = static_cast<int8_t>(state->invokes);
    return kTfLiteOk;
}

TfLiteStatus MicroInterpreter::Reset()
{
    state_of(state_)->invokes = 0;
    return kTfLiteOk;
}

TfLiteTensor *MicroInterpreter::input(size_t)
{
    return &state_of(state_)->tensors[0];
}

TfLiteTensor *MicroInterpreter::output(size_t)
{
    return &state_of(state_)->tensors[1];
}

#define DEFINE(method, registration, parser, code) \
    TFLMRegistration registration() \
    { \
        return TFLMRegistration(); \
    } \
    TfLiteStatus parser(const Operator *, BuiltinDataAllocator *, void **) \
    { \
        return kTfLiteOk; \
    }
TFLM_OPERATORS(DEFINE)

TFLM_END
