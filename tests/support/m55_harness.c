/* SPDX-License-Identifier: Apache-2.0 */
/* What runs around the cases of m55.py: semihosting, comparison. */
#include <stddef.h>
#include <stdint.h>

#include "m55_start.h"

__attribute__((noinline)) static void say(const char *text)
{
    semihost(4, text);
}
__attribute__((noinline)) static void say_number(uint32_t value)
{
    char digits[12];
    char *at = digits + 11;
    *at = 0;
    do {
        *--at = (char)('0' + value % 10);
        value /= 10;
    } while (value != 0);
    say(at);
    say("\n");
}
static void finish(void)
{
    semihost(0x18, (const void *)0x20026);
    for (;;) {
    }
}
static uint8_t memory[1 << 20] __attribute__((aligned(16)));
static uint8_t expected[1 << 17];
__attribute__((noinline)) static void fill(void)
{
    for (size_t i = 0; i < sizeof memory; i++) {
        memory[i] = 0xA5;
    }
}
__attribute__((noinline)) static void copy(void *to, const void *from, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        ((uint8_t *)to)[i] = ((const uint8_t *)from)[i];
    }
}
__attribute__((noinline)) static uint32_t differences(const uint8_t *a, const uint8_t *b, size_t count)
{
    uint32_t found = 0;
    for (size_t i = 0; i < count; i++) {
        found += a[i] != b[i];
    }
    return found;
}
__attribute__((noinline)) static uint32_t disturbed(const uint8_t *from, const uint8_t *to)
{
    uint32_t found = 0;
    while (from < to) {
        found += *from++ != 0xA5;
    }
    return found;
}
