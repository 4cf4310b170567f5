/* SPDX-License-Identifier: Apache-2.0 */
#include "tensorflow/lite/micro/micro_log.h"

#if !defined(TF_LITE_STRIP_ERROR_STRINGS)
#include <cstdarg>

#include "tensorflow/lite/micro/debug_log.h"

void MicroPrintf(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    DebugLog(format, arguments);
    va_end(arguments);
}
#endif
