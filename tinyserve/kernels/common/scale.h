/* SPDX-License-Identifier: Apache-2.0 */
/* A factor that integers are multiplied with in float. LLVM 22 makes one conversion on Helium of a conversion and a
 * multiplication by a power of two, and where the number of its bits stands in a register already, it writes that
 * register's number in its place: the factor must not be known to it. */
#ifndef TS_COMMON_SCALE_H
#define TS_COMMON_SCALE_H

static inline float ts_scale(float factor)
{
#if defined(__clang__) && defined(__ARM_FEATURE_MVE)
    __asm__("" : "+r"(factor));
#endif
    return factor;
}

#endif
