/* SPDX-License-Identifier: Apache-2.0 */
#include "serial_text.h"

#include "port.h"

#define DECIMALS 1000u
#define MANTISSA_LIMIT (UINT64_C(1) << 53) /* times 1000 it fits 64 bits; floats and quantized values are below */

void print_text(const char *text)
{
    while (*text != '\0') {
        port_putc(*text++);
    }
}

void print_line_end(void)
{
    print_text("\r\n");
}

void print_unsigned(uint64_t value)
{
    char digits[20];
    int count = 0;
    do {
        digits[count++] = (char)('0' + (int)(value % 10u));
        value /= 10u;
    } while (value != 0u);
    while (count > 0) {
        port_putc(digits[--count]);
    }
}

void print_hex(const uint8_t *bytes, uint32_t count)
{
    static const char digits[] = "0123456789abcdef";
    for (uint32_t i = 0; i < count; i++) {
        port_putc(digits[bytes[i] >> 4]);
        port_putc(digits[bytes[i] & 15u]);
    }
}

/* Digits of mantissa * 2^exponent for what no integer type holds: up to 2^53 * 2^104 has 48 digits. */
static void print_large(uint64_t mantissa, int32_t exponent)
{
    uint8_t digits[64];
    int count = 0;
    for (; mantissa != 0u; mantissa /= 10u) {
        digits[count++] = (uint8_t)(mantissa % 10u);
    }
    for (; exponent > 0; exponent--) {
        uint8_t carry = 0;
        for (int i = 0; i < count; i++) {
            const uint8_t doubled = (uint8_t)(digits[i] * 2u + carry);
            carry = doubled >= 10u ? 1u : 0u;
            digits[i] = (uint8_t)(doubled - 10u * carry);
        }
        if (carry != 0u && count < (int)sizeof digits) {
            digits[count++] = carry;
        }
    }
    while (count > 0) {
        port_putc((char)('0' + digits[--count]));
    }
}

/* round(mantissa * 1000 / 2^shift), ties to even. shift >= 1. */
static uint64_t thousandths(uint64_t mantissa, uint32_t shift)
{
    const uint64_t product = mantissa * DECIMALS;
    if (shift >= 64u) {
        return 0; /* the product is below 2^63, half of the divisor */
    }
    const uint64_t quotient = product >> shift;
    const uint64_t rest = product & ((UINT64_C(1) << shift) - 1u);
    const uint64_t half = UINT64_C(1) << (shift - 1u);
    return quotient + ((rest > half || (rest == half && (quotient & 1u) != 0u)) ? 1u : 0u);
}

void print_scaled(int negative, uint64_t mantissa, int32_t exponent)
{
    if (negative) {
        port_putc('-');
    }
    if (exponent >= 0) {
        if (mantissa == 0u || exponent == 0) {
            print_unsigned(mantissa);
        } else {
            print_large(mantissa, exponent);
        }
        print_text(".000");
        return;
    }
    while (mantissa >= MANTISSA_LIMIT && exponent < -1) {
        mantissa >>= 1;
        exponent++;
    }
    const uint64_t value = thousandths(mantissa, (uint32_t)-exponent);
    const uint32_t fraction = (uint32_t)(value % DECIMALS);
    print_unsigned(value / DECIMALS);
    port_putc('.');
    port_putc((char)('0' + (int)(fraction / 100u)));
    port_putc((char)('0' + (int)(fraction / 10u % 10u)));
    port_putc((char)('0' + (int)(fraction % 10u)));
}

void print_float(float value)
{
    union {
        float real;
        uint32_t bits;
    } cast = {value};
    const int negative = (int)(cast.bits >> 31);
    const uint32_t biased = cast.bits >> 23 & 255u;
    const uint32_t fraction = cast.bits & 0x7fffffu;
    if (biased == 255u) {
        print_text(fraction != 0u ? "nan" : negative ? "-inf" : "inf");
    } else if (biased == 0u) {
        print_scaled(negative, fraction, -149);
    } else {
        print_scaled(negative, fraction | 0x800000u, (int32_t)biased - 150);
    }
}
