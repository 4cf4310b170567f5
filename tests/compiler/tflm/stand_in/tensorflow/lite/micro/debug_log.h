#pragma once

#include <cstdarg>

extern "C" void DebugLog(const char *format, va_list arguments);
