/* SPDX-License-Identifier: Apache-2.0 */
/* Weights of four bits, as they lie in flash, to bytes in scratch.
 *
 * A word holds eight values: the low nibbles of its bytes are the first four, the high nibbles the last four. So words
 * of bytes come out of it, each with its signs set by one multiplication. */
#ifndef TS_COMMON_NIBBLES_H
#define TS_COMMON_NIBBLES_H

#include <stdint.h>

#include "compiler.h"

typedef uint32_t TS_MAY_ALIAS ts_nibble_word; /* what is unpacked is read as bytes, or as what a kernel makes of them */

/* Four nibbles, one in each byte, with their signs in the rest of the byte. */
static inline uint32_t ts_signed_nibbles(uint32_t nibbles)
{
    return nibbles + (nibbles & 0x08080808u) * 30u;
}

/* `words` words of packed values to twice as many of bytes; both places are aligned to 4 bytes. */
static inline void ts_unpack_nibbles(const uint32_t *packed, int32_t words, void *values)
{
    ts_nibble_word *to = values;
#pragma GCC unroll 4
    for (const uint32_t *const end = packed + words; packed != end; packed++, to += 2) {
        const uint32_t both = *packed;
        to[0] = ts_signed_nibbles(both & 0x0f0f0f0fu);
        to[1] = ts_signed_nibbles(both >> 4 & 0x0f0f0f0fu);
    }
}

#endif
