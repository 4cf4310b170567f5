/* SPDX-License-Identifier: Apache-2.0 */
/* What TFLM asks of a platform, where the tree's own files are for Arduino's core: nothing is written, no time is known. */
#include <cstdarg>
#include <cstddef>
#include <cstdint>

#define WEAK __attribute__((weak))

extern "C" WEAK void DebugLog(const char *, va_list) {}

extern "C" WEAK int DebugVsnprintf(char *, size_t, const char *, va_list)
{
    return 0;
}

namespace tflite {

WEAK uint32_t ticks_per_second()
{
    return 0;
}

WEAK uint32_t GetCurrentTimeTicks()
{
    return 0;
}

WEAK void InitializeTarget() {}

}  // namespace tflite
