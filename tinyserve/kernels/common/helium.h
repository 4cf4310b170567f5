/* SPDX-License-Identifier: Apache-2.0 */
/* Helium's stores of some lanes. Kernels write TS_STORE_LANES(vstrbq_p_s8, to, value, lanes), never the intrinsic alone
 * (tests/kernels/test_helium.py): GCC 12 describes them as stores of the whole vector and deletes what was stored to
 * the same place before, whose other lanes are still wanted. The empty statement reads the place, so that it stays. */
#ifndef TS_COMMON_HELIUM_H
#define TS_COMMON_HELIUM_H

#include <arm_mve.h>
#include <stdint.h>

#if defined(__GNUC__) && !defined(__clang__)
#define TS_STORE_LANES(STORE, TO, VALUE, LANES)                                                                        \
    do {                                                                                                               \
        __asm__ volatile("" : : "m"(*(const uint8_t(*)[16])(TO)));                                                     \
        STORE(TO, VALUE, LANES);                                                                                       \
    } while (0)
#else
#define TS_STORE_LANES(STORE, TO, VALUE, LANES) STORE(TO, VALUE, LANES)
#endif

#endif
