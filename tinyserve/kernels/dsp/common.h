/* SPDX-License-Identifier: Apache-2.0 */
/* What the DSP kernels share. */
#ifndef TS_DSP_COMMON_H
#define TS_DSP_COMMON_H

#if defined(__ARM_ARCH) && !defined(__ARM_FEATURE_DSP)
#error "these kernels need the DSP extension: build for cortex-m4, m7 or m33+dsp, or compile the model without it"
#endif

/* A function that all layers share: one copy, which some models may not need. */
#if defined(__GNUC__)
#define TS_DSP_SHARED static __attribute__((noinline, unused))
#else
#define TS_DSP_SHARED static
#endif

/* One that little time is spent in, and that unrolled loops would blow up. */
#if defined(__clang__)
#define TS_DSP_SMALL TS_DSP_SHARED __attribute__((minsize))
#else
#define TS_DSP_SMALL TS_DSP_SHARED
#endif

#endif
