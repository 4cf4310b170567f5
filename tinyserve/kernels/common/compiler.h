/* SPDX-License-Identifier: Apache-2.0 */
/* What differs between compilers, in one place: the rest is C11. GNU attributes are used where the compiler has them
 * (GCC, Clang, armclang, IAR, TI Clang); without, the code is the same and only slower. Included first by every
 * generated file, since some rules hold from their line on. */
#ifndef TS_COMMON_COMPILER_H
#define TS_COMMON_COMPILER_H

#if (defined(__BYTE_ORDER__) && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__) || defined(__ARMEB__) ||                    \
    defined(__BIG_ENDIAN__)
#error "tinyserve's models are for little-endian processors: their weights are read in words"
#endif

/* A header of the product's own, where places are chosen: -DTS_CONFIG_HEADER='"product.h"' with, say,
 * #define TS_KWS_ARENA_ATTRIBUTE __attribute__((section(".bss.sdram"))). */
#ifdef TS_CONFIG_HEADER
#include TS_CONFIG_HEADER
#endif

/* Whatever the flags: no multiplication is fused with an addition, and no call is lost. GCC 11 and 12 write a loop's
 * address as an offset from NULL, then take the store for a trap and the function for one without effect. */
#if defined(__clang__)
#pragma STDC FP_CONTRACT OFF
#elif defined(__XTENSA__)
/* Scheduled before registers are given out, a loop with four sums spills them: nearly twice the instructions. */
#pragma GCC optimize("no-delete-null-pointer-checks", "fp-contract=off", "no-schedule-insns")
#elif defined(__GNUC__)
#pragma GCC optimize("no-delete-null-pointer-checks", "fp-contract=off")
#elif defined(__ICCARM__) || defined(_MSC_VER)
#pragma STDC FP_CONTRACT OFF
#endif

#if defined(__GNUC__) || defined(__clang__)
#define TS_ALWAYS_INLINE inline __attribute__((always_inline))
#define TS_NOINLINE __attribute__((noinline))
#define TS_MAYBE_UNUSED __attribute__((unused))
#define TS_MAY_ALIAS __attribute__((may_alias)) /* on a type: what it reads may be of any type */
#else
#define TS_ALWAYS_INLINE inline
#define TS_NOINLINE
#define TS_MAYBE_UNUSED
#define TS_MAY_ALIAS
#endif

/* Memory in a section of its own, which nobody writes before the model does, and which is not to be in the image. GCC
 * gives sections values unless their name says else; on Arm a comment ends what it would add to this type. */
#if defined(__GNUC__) && !defined(__clang__) && defined(__arm__)
#define TS_UNINITIALIZED(section_name) __attribute__((section(section_name ",\"aw\",%nobits@")))
#elif defined(__GNUC__) || defined(__clang__)
#define TS_UNINITIALIZED(section_name) __attribute__((section(section_name)))
#endif

/* A layer is called, never merged with its neighbours or judged by its body. */
#if defined(__GNUC__) && !defined(__clang__) && __GNUC__ >= 8
#define TS_LAYER static __attribute__((noipa)) void
#else
#define TS_LAYER static TS_NOINLINE void
#endif

#if defined(__GNUC__) || defined(__clang__)
#define TS_NAN __builtin_nanf("")
#define TS_INFINITY __builtin_inff()
#define TS_FLOAT_MAX __FLT_MAX__
#else
#include <float.h>
#include <math.h>
#define TS_NAN NAN
#define TS_INFINITY INFINITY
#define TS_FLOAT_MAX FLT_MAX
#endif

#endif
