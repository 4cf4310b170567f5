/* SPDX-License-Identifier: Apache-2.0 */
/* See micro_interpreter.h. Code of the user's own calls it, unless strings are stripped. */
#pragma once

#if defined(TF_LITE_STRIP_ERROR_STRINGS)
#define MicroPrintf(...) ((void)0)
#else
void MicroPrintf(const char *format, ...);
#endif
