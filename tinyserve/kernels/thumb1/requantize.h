/* SPDX-License-Identifier: Apache-2.0 */
/* Requantization without a long multiply, for Armv6-M.
 *
 * TFLM's result is a step function of the accumulator: a doubling high multiply and a rounding division, both of which
 * only ever go up. For most channels the compiler finds a short multiplier and an offset with which
 *
 *   (accumulator * multiplier / 2^n + offset) >> shift
 *
 * takes every one of its steps, 255 at the most, at the very same accumulator; the bias, the zero points and TFLM's two
 * roundings are in the offset. That is checked step by step at compile time, so the bytes are TFLM's. It rarely
 * succeeds where negative results are not clamped away, since TFLM rounds negative ties the other way; such
 * channels are computed as TFLM does it.
 *
 * Products are formed limb by limb, from the lowest up: each partial product fits 32 bits, and what is shifted out
 * below has no part in the result, since floor((x + y * 2^n) / 2^(n+m)) = floor((floor(x / 2^n) + y) / 2^m). Two limbs
 * of 10 and 11 bits serve accumulators below 2^20 in magnitude, limbs of 8 bits those below 2^23; the compiler knows
 * the weights and so the bound.
 */
#ifndef TS_KERNELS_THUMB1_REQUANTIZE_H
#define TS_KERNELS_THUMB1_REQUANTIZE_H

#include <stdint.h>

#include "../common/params.h"

#define TS_THUMB1_INLINE static inline __attribute__((always_inline))
#define TS_THUMB1_KERNEL static __attribute__((noinline, unused))

enum { TS_THUMB1_TWO_LIMBS = 0, TS_THUMB1_THREE_LIMBS = 1, TS_THUMB1_EXACT = 2 };

/* One output channel. `bias` and the fourth limb are for exact channels only; elsewhere the offset holds the bias. */
typedef struct {
    int32_t kind;
    int32_t limb[4];
    int32_t offset;
    int32_t shift;
    int32_t bias;
} ts_thumb1_channel;

TS_THUMB1_INLINE int32_t ts_thumb1_scale(int32_t acc, const ts_thumb1_channel *channel)
{
    const int32_t *limb = channel->limb;
    if (channel->kind == TS_THUMB1_TWO_LIMBS) {
        return ((acc * limb[0]) >> 10) + acc * limb[1];
    }
    if (channel->kind == TS_THUMB1_THREE_LIMBS) {
        return ((((acc * limb[0]) >> 8) + acc * limb[1]) >> 8) + acc * limb[2];
    }
    acc += channel->bias;
    int32_t value = (acc * limb[0]) >> 8;
    value = (value + acc * limb[1]) >> 8;
    value = (value + acc * limb[2]) >> 8;
    value = (value + acc * limb[3] + (1 << 6)) >> 7;
    return value + (value >> 31);
}

TS_THUMB1_INLINE int8_t ts_thumb1_requantize(int32_t acc, const ts_thumb1_channel *channel, ts_activation activation)
{
    const int32_t value = (ts_thumb1_scale(acc, channel) + channel->offset) >> channel->shift;
    return (int8_t)ts_activate(activation, value);
}

/* Runs of sums, as the assembly stores them. All in bytes but `runs`. */
typedef struct {
    int32_t run_bytes, step, runs, next_acc, next_output, next_channel;
} ts_thumb1_store_args;

/* store.S: for outputs clamped to [-128, 127]. */
void ts_thumb1_store(const int32_t *acc, const ts_thumb1_channel *channel, int8_t *output,
                     const ts_thumb1_store_args *args);

/* Any clamping: the same runs in C where the activation is narrower, else the assembly. */
TS_THUMB1_INLINE void ts_thumb1_store_runs(const int32_t *acc, const ts_thumb1_channel *channel, int8_t *output,
                                           const ts_thumb1_store_args *args, ts_activation activation)
{
    if (activation.min == -128 && activation.max == 127) {
        ts_thumb1_store(acc, channel, output, args);
        return;
    }
    for (int32_t run = args->runs; run > 0; --run) {
        int8_t *to = output;
        for (int32_t i = 0; i < args->run_bytes / 4; ++i) {
            *to = ts_thumb1_requantize(acc[i], channel, activation);
            to += args->step;
        }
        acc += args->next_acc / 4;
        output += args->next_output;
        channel += args->next_channel / (int32_t)sizeof(*channel);
    }
}

#endif
