/* SPDX-License-Identifier: Apache-2.0 */
/* Two values of 16 bits in a word: complex numbers (re below, im above), or neighbours. */
#ifndef TS_DSP_PAIRS_H
#define TS_DSP_PAIRS_H

#include <stdint.h>

#include "../common/compiler.h"
#include "common.h"

typedef uint32_t TS_MAY_ALIAS ts_dsp_pair; /* what is read as a word is an array of int16 */

/* RESULT = OPERATION(a, b), per half. */
#define TS_DSP_PAIR_OPERATION(OPERATION)                                                                               \
    static TS_ALWAYS_INLINE uint32_t ts_dsp_##OPERATION(uint32_t a, uint32_t b)                                        \
    {                                                                                                                  \
        uint32_t result;                                                                                               \
        __asm__(#OPERATION " %0, %1, %2" : "=r"(result) : "r"(a), "r"(b));                                             \
        return result;                                                                                                 \
    }

/* The sum of c and products of the halves: a's lower (b), upper (t), or both with their own (d) or the other's (dx). */
#define TS_DSP_PAIR_PRODUCT(OPERATION)                                                                                 \
    static TS_ALWAYS_INLINE uint32_t ts_dsp_##OPERATION(uint32_t a, uint32_t b, uint32_t c)                            \
    {                                                                                                                  \
        uint32_t result;                                                                                               \
        __asm__(#OPERATION " %0, %1, %2, %3" : "=r"(result) : "r"(a), "r"(b), "r"(c));                                 \
        return result;                                                                                                 \
    }

TS_DSP_PAIR_OPERATION(sadd16)
TS_DSP_PAIR_OPERATION(ssub16)
TS_DSP_PAIR_OPERATION(shadd16)
TS_DSP_PAIR_OPERATION(sasx) /* below a's lower less b's upper, above a's upper and b's lower: a + ib */
TS_DSP_PAIR_OPERATION(ssax) /* a - ib */
TS_DSP_PAIR_OPERATION(smuad)
TS_DSP_PAIR_OPERATION(smulbb)
TS_DSP_PAIR_OPERATION(smultt)
TS_DSP_PAIR_PRODUCT(smlabb)
TS_DSP_PAIR_PRODUCT(smlatb)
TS_DSP_PAIR_PRODUCT(smlsd)
TS_DSP_PAIR_PRODUCT(smladx)

#undef TS_DSP_PAIR_OPERATION
#undef TS_DSP_PAIR_PRODUCT

/* The lower half of a and the upper one of b. */
static TS_ALWAYS_INLINE uint32_t ts_dsp_lower_upper(uint32_t a, uint32_t b)
{
    uint32_t result;
    __asm__("pkhbt %0, %1, %2" : "=r"(result) : "r"(a), "r"(b));
    return result;
}

/* The lower halves of both. */
static TS_ALWAYS_INLINE uint32_t ts_dsp_lowers(uint32_t a, uint32_t b)
{
    uint32_t result;
    __asm__("pkhbt %0, %1, %2, lsl #16" : "=r"(result) : "r"(a), "r"(b));
    return result;
}

/* The upper halves of both. */
static TS_ALWAYS_INLINE uint32_t ts_dsp_uppers(uint32_t a, uint32_t b)
{
    uint32_t result;
    __asm__("pkhtb %0, %1, %2, asr #16" : "=r"(result) : "r"(b), "r"(a));
    return result;
}

/* Each half's magnitude; that of -32768 has its highest bit only. */
static TS_ALWAYS_INLINE uint32_t ts_dsp_magnitudes(uint32_t a)
{
    uint32_t result;
    __asm__("ssub16 %0, %1, %2\n\tsel %0, %0, %2" : "=&r"(result) : "r"(0), "r"(a) : "cc");
    return result;
}

#endif
