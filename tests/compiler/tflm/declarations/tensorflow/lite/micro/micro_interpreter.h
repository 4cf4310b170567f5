/* SPDX-License-Identifier: Apache-2.0 */
/* Declarations of what the generated glue uses of TFLM, written from its documented interface for tests: enough to
 * compile against, and to call the C++ functions that a real build exports.
 *
 * TFLM_OLD_NAMESPACE declares everything in tflite (and its C types globally) as TFLM did until 2026, else in
 * tflite::micro. */
#pragma once

#include <cstddef>
#include <cstdint>

#include "tensorflow/lite/schema/schema_generated.h"

#ifdef TFLM_OLD_NAMESPACE
#define TFLM_BEGIN                                                                                                     \
    namespace tflite                                                                                                   \
    {
#define TFLM_END }
#else
#define TFLM_BEGIN                                                                                                     \
    namespace tflite                                                                                                   \
    {                                                                                                                  \
    namespace micro                                                                                                    \
    {
#define TFLM_END                                                                                                       \
    }                                                                                                                  \
    }
TFLM_BEGIN
#endif

typedef enum TfLiteStatus { kTfLiteOk = 0, kTfLiteError = 1 } TfLiteStatus;

typedef struct TfLiteTensor {
    struct {
        int32_t type;
        void *params;
    } quantization;
    struct {
        float scale;
        int32_t zero_point;
    } params;
    union {
        void *data;
        int8_t *int8;
    } data;
    void *dims;
    size_t bytes;
    int32_t rest[4];
} TfLiteTensor;

typedef struct TFLMRegistration {
    void *functions[5];
    int32_t builtin_code;
    const char *custom_name;
} TFLMRegistration;

#ifdef TFLM_OLD_NAMESPACE
TFLM_BEGIN
#endif

class MicroOpResolver;
class MicroAllocator;
class MicroResourceVariables;
class MicroProfilerInterface;

class MicroInterpreter
{
  public:
    MicroInterpreter(const Model *model, const MicroOpResolver &resolver, uint8_t *arena, size_t arena_size,
                     MicroResourceVariables *variables = nullptr, MicroProfilerInterface *profiler = nullptr,
                     bool preserve = false);
    MicroInterpreter(const Model *model, const MicroOpResolver &resolver, MicroAllocator *allocator,
                     MicroResourceVariables *variables = nullptr, MicroProfilerInterface *profiler = nullptr);
    ~MicroInterpreter();
    TfLiteStatus AllocateTensors();
    TfLiteStatus Invoke();
    TfLiteStatus Reset();
    TfLiteTensor *input(size_t index);
    TfLiteTensor *output(size_t index);

  private:
    void *state_[64]; /* at least as large as the real one */
};

TFLM_END
