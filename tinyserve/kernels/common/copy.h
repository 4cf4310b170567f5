/* SPDX-License-Identifier: Apache-2.0 */
/* Copies of whole runs, by words or vectors where the core has them. In ascending order, each piece read before it is
 * written: `to` may lie over `from` as long as it does not start after it. */
#ifndef TS_COMMON_COPY_H
#define TS_COMMON_COPY_H

#include <stdint.h>

#if defined(__ARM_FEATURE_MVE)
#include "helium.h"
#endif

#include "compiler.h"

typedef uint32_t TS_MAY_ALIAS ts_copy_word; /* what is copied may be of any type */

/* Both places aligned to 4 bytes. */
static inline void ts_copy_words(void *to, const void *from, int32_t words)
{
    ts_copy_word *target = to;
    const ts_copy_word *source = from;
#if defined(__ARM_FEATURE_MVE)
    for (; words >= 8; words -= 8, source += 8, target += 8) {
        const uint32x4_t first = vldrwq_u32((const uint32_t *)source),
                         second = vldrwq_u32((const uint32_t *)source + 4);
        vstrwq_u32((uint32_t *)target, first);
        vstrwq_u32((uint32_t *)target + 4, second);
    }
    for (; words > 0; words -= 4, source += 4, target += 4) {
        const mve_pred16_t lanes = vctp32q((uint32_t)words);
        TS_STORE_LANES(vstrwq_p_u32, (uint32_t *)target, vldrwq_z_u32((const uint32_t *)source, lanes), lanes);
    }
#else
    for (; words >= 4; words -= 4, source += 4, target += 4) {
        const uint32_t a = source[0], b = source[1], c = source[2], d = source[3];
        target[0] = a;
        target[1] = b;
        target[2] = c;
        target[3] = d;
    }
    for (; words > 0; words--) {
        *target++ = *source++;
    }
#endif
}

/* LLVM vectorizes fills by itself, and knows their lengths where they are constant. */
#if defined(__ARM_FEATURE_MVE) && !defined(__clang__)
#define TS_COPY_FILLS 1
#else
#define TS_COPY_FILLS 0
#endif

static inline void ts_fill_words(void *to, uint32_t value, int32_t words)
{
    ts_copy_word *target = to;
#if TS_COPY_FILLS
    for (; words > 0; words -= 4, target += 4) {
        TS_STORE_LANES(vstrwq_p_u32, (uint32_t *)target, vdupq_n_u32(value), vctp32q((uint32_t)words));
    }
#else
    for (; words >= 4; words -= 4, target += 4) {
        target[0] = value;
        target[1] = value;
        target[2] = value;
        target[3] = value;
    }
    for (; words > 0; words--) {
        *target++ = value;
    }
#endif
}

static inline void ts_fill_bytes(int8_t *to, int8_t value, int32_t bytes)
{
#if TS_COPY_FILLS
    for (; bytes > 0; bytes -= 16, to += 16) {
        TS_STORE_LANES(vstrbq_p_s8, to, vdupq_n_s8(value), vctp8q((uint32_t)bytes));
    }
#else
    for (int32_t i = 0; i < bytes; i++) {
        to[i] = value;
    }
#endif
}

static inline void ts_fill_halves(int16_t *to, int16_t value, int32_t count)
{
#if TS_COPY_FILLS
    for (; count > 0; count -= 8, to += 8) {
        TS_STORE_LANES(vstrhq_p_s16, to, vdupq_n_s16(value), vctp16q((uint32_t)count));
    }
#else
    for (int32_t i = 0; i < count; i++) {
        to[i] = value;
    }
#endif
}

/* Copies what whole words it may; returns the bytes that are done. */
static inline int32_t ts_copy_leading_words(uint8_t *to, const uint8_t *from, int32_t bytes)
{
#if defined(__ARM_FEATURE_UNALIGNED)
    int32_t done = 0;
    for (; bytes - done >= 16; done += 16) {
        uint32_t four[4];
        __builtin_memcpy(&four[0], from + done, 4);
        __builtin_memcpy(&four[1], from + done + 4, 4);
        __builtin_memcpy(&four[2], from + done + 8, 4);
        __builtin_memcpy(&four[3], from + done + 12, 4);
        __builtin_memcpy(to + done, &four[0], 4);
        __builtin_memcpy(to + done + 4, &four[1], 4);
        __builtin_memcpy(to + done + 8, &four[2], 4);
        __builtin_memcpy(to + done + 12, &four[3], 4);
    }
    for (; bytes - done >= 4; done += 4) {
        uint32_t word;
        __builtin_memcpy(&word, from + done, 4);
        __builtin_memcpy(to + done, &word, 4);
    }
    return done;
#else
    if ((((uintptr_t)to | (uintptr_t)from) & 3) != 0) {
        return 0;
    }
    ts_copy_words(to, from, bytes / 4);
    return bytes / 4 * 4;
#endif
}

static inline void ts_copy_bytes(void *to, const void *from, int32_t bytes)
{
    uint8_t *target = to;
    const uint8_t *source = from;
#if defined(__ARM_FEATURE_MVE)
    for (; bytes >= 32; bytes -= 32, source += 32, target += 32) {
        const uint8x16_t first = vldrbq_u8(source), second = vldrbq_u8(source + 16);
        vstrbq_u8(target, first);
        vstrbq_u8(target + 16, second);
    }
    for (; bytes > 0; bytes -= 16, source += 16, target += 16) {
        const mve_pred16_t lanes = vctp8q((uint32_t)bytes);
        TS_STORE_LANES(vstrbq_p_u8, target, vldrbq_z_u8(source, lanes), lanes);
    }
#else
    int32_t done = 0;
    if (bytes >= 4) {
        done = ts_copy_leading_words(target, source, bytes);
    }
#pragma GCC unroll 4
    for (; done < bytes; done++) {
        target[done] = source[done];
    }
#endif
}

#endif
