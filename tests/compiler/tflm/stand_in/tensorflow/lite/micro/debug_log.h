/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <cstdarg>

extern "C" void DebugLog(const char *format, va_list arguments);
