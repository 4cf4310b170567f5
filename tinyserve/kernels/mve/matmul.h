/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by the Helium convolutions: dot products of int8 rows and the requantization of four channels.
 *
 * Weights lie in the order in which they are read: for each pair of output channels, 16 bytes of the one, then 16
 * bytes of the other, and so on along the row, which is padded with zeros to a multiple of 16: loops need no
 * tail, since what a vector reads beyond the end of an input row is multiplied by zero.
 *
 * Accumulators are requantized as TFLM's MultiplyByQuantizedMultiplier does it: a doubling high multiply (VQRDMULH),
 * then a rounding division by a power of two. VRSHL is the latter but for ties of negative numbers, which
 * TFLM rounds away from zero: those get 1 subtracted first. Where the output's zero point is the activation minimum,
 * negative values are clamped away, the difference can't be seen, and `exact_ties` is 0.
 */
#ifndef TS_KERNELS_MVE_MATMUL_H
#define TS_KERNELS_MVE_MATMUL_H

#include "../common/helium.h"
#include <stdint.h>

#include "../common/params.h"

#if !defined(__ARM_FEATURE_MVE)
#error "the Helium kernels need -mcpu=cortex-m55 or another core with MVE"
#endif

#define TS_MVE_INLINE static inline __attribute__((always_inline))
#define TS_MVE_KERNEL static __attribute__((noinline, unused))

/* Requantization tables hold, for every four output channels, four biases (with the input's zero point folded in), four
 * multipliers and four negated right shifts. */
#define TS_MVE_REQUANT4 12

typedef struct {
    int32_t zero_point;
    ts_activation activation;
} ts_mve_output;

/* Copies, 16 bytes at a time, the last as many as are left. In assembly, as GCC moves each vector's predicate through a
 * register, and clang is kept from such loops (docs/architecture.md). */
TS_MVE_INLINE void ts_mve_copy(int8_t *to, const int8_t *from, int32_t count)
{
    __asm volatile("wlstp.8 lr, %[count], 1f\n\t"
                   "0:\n\t"
                   "vldrb.u8 q0, [%[from]], #16\n\t"
                   "vstrb.8 q0, [%[to]], #16\n\t"
                   "letp lr, 0b\n\t"
                   "1:"
                   : [to] "+l"(to), [from] "+l"(from)
                   : [count] "r"(count)
                   : "lr", "q0", "memory");
}

/* As ts_mve_copy, of one value. */
TS_MVE_INLINE void ts_mve_fill(int8_t *to, int8_t value, int32_t count)
{
    __asm volatile("vdup.8 q0, %[value]\n\t"
                   "wlstp.8 lr, %[count], 1f\n\t"
                   "0:\n\t"
                   "vstrb.8 q0, [%[to]], #16\n\t"
                   "letp lr, 0b\n\t"
                   "1:"
                   : [to] "+l"(to)
                   : [count] "r"(count), [value] "r"(value)
                   : "lr", "q0", "memory");
}

/* Requantizes four channels of one pixel and stores them as int8. */
TS_MVE_INLINE void ts_mve_store4(int32x4_t acc, int32x4_t multiplier, int32x4_t shift, const ts_mve_output output,
                                 const int32_t exact_ties, mve_pred16_t lanes, int8_t *destination)
{
    int32x4_t value = vqrdmulhq_s32(acc, multiplier);
    if (exact_ties) {
        value = vaddq_s32(value, vshrq_n_s32(value, 31));
    }
    value = vrshlq_s32(value, shift);
    value = vaddq_n_s32(value, output.zero_point);
    value = vmaxq_s32(value, vdupq_n_s32(output.activation.min));
    value = vminq_s32(value, vdupq_n_s32(output.activation.max));
    if (__builtin_constant_p(lanes) && lanes == 0xFFFF) {
        vstrbq_s32(destination, value);
    } else {
        TS_STORE_LANES(vstrbq_p_s32, destination, value, lanes);
    }
}

/* Three input rows of `blocks` x 16 int8 times one pair of weight rows; results at acc[0], acc[1] of each row,
 * TS_MVE_CHANNEL_BLOCK apart. Returns the weights that follow. */
#define TS_MVE_CHANNEL_BLOCK 16

TS_MVE_INLINE const int8_t *ts_mve_dot_pair(const int8_t *const row[3], const int8_t *weights, const int32_t blocks,
                                            int32_t *acc)
{
    const int8_t *row0 = row[0];
    const int8_t *row1 = row[1];
    const int8_t *row2 = row[2];
    /* Long rows: hides from the compiler that the inputs are the same for every pair, or it would load them all once
     * and spill them. */
    if (!__builtin_constant_p(blocks) || blocks > 2) {
        __asm volatile("" : "+r"(row0), "+r"(row1), "+r"(row2));
    }
    int32_t a00 = 0, a01 = 0, a10 = 0, a11 = 0, a20 = 0, a21 = 0;
#pragma clang loop unroll_count(9)
    for (int32_t block = 0; block < blocks; ++block) {
        const int8x16_t w0 = vldrbq_s8(weights);
        const int8x16_t w1 = vldrbq_s8(weights + 16);
        const int8x16_t x0 = vldrbq_s8(row0 + block * 16);
        const int8x16_t x1 = vldrbq_s8(row1 + block * 16);
        const int8x16_t x2 = vldrbq_s8(row2 + block * 16);
        weights += 32;
        a00 = vmladavaq_s8(a00, x0, w0);
        a01 = vmladavaq_s8(a01, x0, w1);
        a10 = vmladavaq_s8(a10, x1, w0);
        a11 = vmladavaq_s8(a11, x1, w1);
        a20 = vmladavaq_s8(a20, x2, w0);
        a21 = vmladavaq_s8(a21, x2, w1);
    }
    acc[0] = a00;
    acc[1] = a01;
    acc[TS_MVE_CHANNEL_BLOCK] = a10;
    acc[TS_MVE_CHANNEL_BLOCK + 1] = a11;
    acc[2 * TS_MVE_CHANNEL_BLOCK] = a20;
    acc[2 * TS_MVE_CHANNEL_BLOCK + 1] = a21;
    return weights;
}

/* One input row; otherwise as ts_mve_dot_pair. */
TS_MVE_INLINE const int8_t *ts_mve_dot_single(const int8_t *row, const int8_t *weights, int32_t blocks, int32_t *acc)
{
    int32_t a0 = 0, a1 = 0;
#pragma clang loop unroll(disable)
    for (int32_t block = 0; block < blocks; ++block) {
        const int8x16_t x = vldrbq_s8(row);
        a0 = vmladavaq_s8(a0, x, vldrbq_s8(weights));
        a1 = vmladavaq_s8(a1, x, vldrbq_s8(weights + 16));
        weights += 32;
        row += 16;
    }
    acc[0] = a0;
    acc[1] = a1;
    return weights;
}

/* Up to 16 channels of three pixels. Functions of their own, one per short row length, so that all registers are
 * theirs; they return the weights that follow. */
#define TS_MVE_DOTS(suffix, blocks)                                                                                    \
    TS_MVE_KERNEL const int8_t *ts_mve_dots_##suffix(const int8_t *const row[3], const int8_t *weights,                \
                                                     int32_t length, int32_t channels, int32_t *acc)                   \
    {                                                                                                                  \
        const int8_t *const rows[3] = {row[0], row[1], row[2]};                                                        \
        (void)length;                                                                                                  \
        for (int32_t channel = 0; channel < channels; channel += 2) {                                                  \
            weights = ts_mve_dot_pair(rows, weights, blocks, acc + channel);                                           \
        }                                                                                                              \
        return weights;                                                                                                \
    }

TS_MVE_DOTS(3, 3)
TS_MVE_DOTS(4, 4)
TS_MVE_DOTS(8, 8)
TS_MVE_DOTS(9, 9)
TS_MVE_DOTS(any, length)

/* The compiler resolves the choice: `blocks` is a constant where there is a function for it. */
TS_MVE_INLINE const int8_t *ts_mve_dots(const int8_t *const row[3], const int8_t *weights, const int32_t blocks,
                                        int32_t channels, int32_t *acc)
{
    if (__builtin_constant_p(blocks) && blocks <= 2) {
        for (int32_t channel = 0; channel < channels; channel += 2) {
            weights = ts_mve_dot_pair(row, weights, blocks, acc + channel);
        }
        return weights;
    }
    if (__builtin_constant_p(blocks)) {
        switch (blocks) {
        case 3:
            return ts_mve_dots_3(row, weights, blocks, channels, acc);
        case 4:
            return ts_mve_dots_4(row, weights, blocks, channels, acc);
        case 8:
            return ts_mve_dots_8(row, weights, blocks, channels, acc);
        case 9:
            return ts_mve_dots_9(row, weights, blocks, channels, acc);
        default:
            break;
        }
    }
    return ts_mve_dots_any(row, weights, blocks, channels, acc);
}

/* Requantizes `count` channels of 1 or 3 pixels, `stride` bytes apart, from acc; returns the rest of the table. */
TS_MVE_INLINE const int32_t *ts_mve_requantize_block(const int32_t *acc, const int32_t pixels, const int32_t count,
                                                     const int32_t *requant, const ts_mve_output output,
                                                     const int32_t exact_ties, int8_t *destination, int32_t stride)
{
    for (int32_t channel = 0; channel < count; channel += 4) {
        const int32x4_t bias = vldrwq_s32(requant);
        const int32x4_t multiplier = vldrwq_s32(requant + 4);
        const int32x4_t shift = vldrwq_s32(requant + 8);
        const mve_pred16_t lanes =
            __builtin_constant_p(count) && count % 4 == 0 ? 0xFFFF : vctp32q((uint32_t)(count - channel));
        requant += TS_MVE_REQUANT4;
#pragma clang loop unroll(full)
        for (int32_t pixel = 0; pixel < pixels; ++pixel) {
            const int32x4_t sum = vldrwq_s32(acc + pixel * TS_MVE_CHANNEL_BLOCK + channel);
            ts_mve_store4(vaddq_s32(sum, bias), multiplier, shift, output, exact_ties, lanes,
                          destination + pixel * stride);
        }
        destination += 4;
    }
    return requant;
}

/* All `channels` outputs of three pixels: rows of inputs to int8 results. `acc` is working memory of TS_MVE_ACC_WORDS:
 * the caller's, or each place where this is inlined would have its own on the stack. */
#define TS_MVE_ACC_WORDS (3 * TS_MVE_CHANNEL_BLOCK)

#if defined(__clang__) && !defined(TS_MVE_PIXELS_IN_ASSEMBLY)
TS_MVE_INLINE void ts_mve_pixels(const int8_t *const row[3], const int8_t *weights, const int32_t blocks,
                                 const int32_t channels, const int32_t *requant, const ts_mve_output output,
                                 const int32_t exact_ties, int32_t *acc, int8_t *destination)
{
    /* Hides that these are the same for every pixel: the compiler would load them once and spill them to the stack. */
    __asm volatile("" : "+r"(weights), "+r"(requant));
    int32_t left = channels;
    for (; left >= TS_MVE_CHANNEL_BLOCK; left -= TS_MVE_CHANNEL_BLOCK) {
        weights = ts_mve_dots(row, weights, blocks, TS_MVE_CHANNEL_BLOCK, acc);
        requant =
            ts_mve_requantize_block(acc, 3, TS_MVE_CHANNEL_BLOCK, requant, output, exact_ties, destination, channels);
        destination += TS_MVE_CHANNEL_BLOCK;
    }
    if (left > 0) {
        ts_mve_dots(row, weights, blocks, left, acc);
        ts_mve_requantize_block(acc, 3, left, requant, output, exact_ties, destination, channels);
    }
}
#else
/* GCC has too few registers left for the sums: pixels.S does the same. */
typedef struct {
    const int8_t *row[3];
    int32_t blocks, channels;
    const int32_t *requant;
    int32_t pixel_step;
    int8_t *output;
    ts_mve_output range;
    const int8_t *weights;
} ts_mve_pixels_job;

#ifdef __cplusplus
extern "C" {
#endif

void ts_mve_pixels_s8(const ts_mve_pixels_job *job);
void ts_mve_pixels_s8_ties(const ts_mve_pixels_job *job);

#ifdef __cplusplus
}
#endif

TS_MVE_INLINE void ts_mve_pixels(const int8_t *const row[3], const int8_t *weights, const int32_t blocks,
                                 const int32_t channels, const int32_t *requant, const ts_mve_output output,
                                 const int32_t exact_ties, int32_t *acc, int8_t *destination)
{
    const ts_mve_pixels_job job = {
        {row[0], row[1], row[2]}, blocks, channels, requant, channels, destination, output, weights};
    (void)acc;
    if (exact_ties) {
        ts_mve_pixels_s8_ties(&job);
    } else {
        ts_mve_pixels_s8(&job);
    }
}
#endif
#endif
