/* SPDX-License-Identifier: Apache-2.0 */
/* Writes to the serial line without libc. */
#ifndef SERIAL_TEXT_H
#define SERIAL_TEXT_H

#include <stdint.h>

void print_text(const char *text);
void print_unsigned(uint64_t value);
void print_hex(const uint8_t *bytes, uint32_t count);
void print_line_end(void);

/* (-1)^negative * mantissa * 2^exponent with three decimals, as printf("%.3f") rounds. */
void print_scaled(int negative, uint64_t mantissa, int32_t exponent);
void print_float(float value);

#endif
