/* SPDX-License-Identifier: Apache-2.0 */
/* Sixteen output channels at a time on the computer that compiles and runs the model. What the compiler was told about
 * its processor decides: AVX-512 (with VNNI and VBMI), AVX2 (with VNNI or without), or those of
 * GCC and Clang for any other.
 *
 * ts_lanes is 16 int32, ts_quads 16 groups of four bytes. Inputs are bytes 0..255 (int8 + 128), weights int8:
 *   ts_lanes_load, _of (one value in all), _add
 *   ts_lanes_dot(sum, x, w)                      sum[i] += x[4i] * w[4i] + ... + x[4i+3] * w[4i+3], exactly
 *   ts_lanes_requantize(v, multiplier, shift)    ts_requantize of each lane
 *   ts_lanes_store(v, low, high, to, count)      the first count <= 16 lanes, clamped, as int8
 *   ts_quads_load                                64 bytes
 *   ts_quads_spread(x)                           the four bytes at x in all groups
 *   ts_quads_interleave(a, b, c, d)              group i is a[i], b[i], c[i], d[i]; reads 16 bytes of each */
#ifndef TS_HOST_LANES_H
#define TS_HOST_LANES_H

#include <stdint.h>

#define TS_HOST_LANES 16
#define TS_HOST_INLINE static inline __attribute__((always_inline))
#define TS_HOST_KERNEL static __attribute__((noinline, unused))

typedef int32_t ts_host_word __attribute__((aligned(1), may_alias));

#if defined(__AVX512BW__) && defined(__AVX512VBMI__) && defined(__AVX512VNNI__)
#include "host/lanes_avx512.h"
#elif defined(__AVX2__)
#include "host/lanes_avx2.h"
#elif defined(__aarch64__) && defined(__ARM_FEATURE_DOTPROD)
#include "host/lanes_neon.h"
#else
#include "host/lanes_vector.h"
#endif

#endif
