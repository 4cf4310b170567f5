/* SPDX-License-Identifier: Apache-2.0 */
/* memcpy and its like, for compilers that call them where nothing is linked that has them. Aligned words where both
 * sides allow it, bytes otherwise: an Armv6-M core faults on unaligned words. */
#include <stddef.h>
#include <stdint.h>

void *memcpy(void *restrict to, const void *restrict from, size_t count);
void *memmove(void *to, const void *from, size_t count);
void *memset(void *to, int value, size_t count);
int memcmp(const void *a, const void *b, size_t count);

/* Words of any effective type may be read and written through this one. */
typedef uint32_t __attribute__((may_alias)) word;

void *memcpy(void *restrict to, const void *restrict from, size_t count)
{
    uint8_t *out = to;
    const uint8_t *in = from;
    if ((((uintptr_t)out | (uintptr_t)in) & 3u) == 0u) {
        for (; count >= 16u; count -= 16u, in += 16, out += 16) {
            const word *const source = (const word *)(const void *)in;
            word *const target = (word *)(void *)out;
            const uint32_t a = source[0], b = source[1], c = source[2], d = source[3];
            target[0] = a;
            target[1] = b;
            target[2] = c;
            target[3] = d;
        }
        for (; count >= 4u; count -= 4u, in += 4, out += 4) {
            *(word *)(void *)out = *(const word *)(const void *)in;
        }
    }
    while (count-- > 0u) {
        *out++ = *in++;
    }
    return to;
}

void *memmove(void *to, const void *from, size_t count)
{
    uint8_t *out = to;
    const uint8_t *in = from;
    if ((uintptr_t)out <= (uintptr_t)in) {
        while (count-- > 0u) {
            *out++ = *in++;
        }
    } else {
        while (count-- > 0u) {
            out[count] = in[count];
        }
    }
    return to;
}

void *memset(void *to, int value, size_t count)
{
    uint8_t *out = to;
    const uint8_t byte = (uint8_t)value;
    if (((uintptr_t)out & 3u) == 0u) {
        const uint32_t four = byte * UINT32_C(0x01010101);
        for (; count >= 4u; count -= 4u, out += 4) {
            *(word *)(void *)out = four;
        }
    }
    while (count-- > 0u) {
        *out++ = byte;
    }
    return to;
}

int memcmp(const void *a, const void *b, size_t count)
{
    const uint8_t *left = a, *right = b;
    for (; count > 0u; count--, left++, right++) {
        if (*left != *right) {
            return *left < *right ? -1 : 1;
        }
    }
    return 0;
}

#ifdef __arm__
/* Run-time ABI for the Arm architecture (IHI 0043), section 5.3.3: no result, and the arguments of memset are swapped.
 */
void __aeabi_memcpy(void *to, const void *from, size_t count);
void __aeabi_memcpy4(void *to, const void *from, size_t count);
void __aeabi_memcpy8(void *to, const void *from, size_t count);
void __aeabi_memmove(void *to, const void *from, size_t count);
void __aeabi_memmove4(void *to, const void *from, size_t count);
void __aeabi_memmove8(void *to, const void *from, size_t count);
void __aeabi_memset(void *to, size_t count, int value);
void __aeabi_memset4(void *to, size_t count, int value);
void __aeabi_memset8(void *to, size_t count, int value);
void __aeabi_memclr(void *to, size_t count);
void __aeabi_memclr4(void *to, size_t count);
void __aeabi_memclr8(void *to, size_t count);

void __aeabi_memcpy(void *to, const void *from, size_t count)
{
    memcpy(to, from, count);
}

void __aeabi_memcpy4(void *to, const void *from, size_t count)
{
    memcpy(to, from, count);
}

void __aeabi_memcpy8(void *to, const void *from, size_t count)
{
    memcpy(to, from, count);
}

void __aeabi_memmove(void *to, const void *from, size_t count)
{
    memmove(to, from, count);
}

void __aeabi_memmove4(void *to, const void *from, size_t count)
{
    memmove(to, from, count);
}

void __aeabi_memmove8(void *to, const void *from, size_t count)
{
    memmove(to, from, count);
}

void __aeabi_memset(void *to, size_t count, int value)
{
    memset(to, value, count);
}

void __aeabi_memset4(void *to, size_t count, int value)
{
    memset(to, value, count);
}

void __aeabi_memset8(void *to, size_t count, int value)
{
    memset(to, value, count);
}

void __aeabi_memclr(void *to, size_t count)
{
    memset(to, 0, count);
}

void __aeabi_memclr4(void *to, size_t count)
{
    memset(to, 0, count);
}

void __aeabi_memclr8(void *to, size_t count)
{
    memset(to, 0, count);
}
#endif
