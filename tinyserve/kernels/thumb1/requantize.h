/* Requantization without a long multiply: TFLM's MultiplyByQuantizedMultiplier for right shifts on Armv6-M.
 *
 * The product of an accumulator and the 31-bit multiplier is formed limb by limb, from the lowest up: each partial
 * product fits 32 bits, and what is shifted out below has no part in the result, since
 * floor((x + y * 2^n) / 2^(n+m)) = floor((floor(x / 2^n) + y) / 2^m). With limbs of 11, 10 and 10 bits this holds for
 * accumulators below 2^20 in magnitude, with limbs of 7, 8, 8 and 8 bits below 2^23. The compiler knows the weights and
 * so a bound of the accumulators.
 *
 * The rounding division by a power of two is (t + half + (t >> 31)) >> shift. `rounding` holds the half and the output's
 * zero point shifted left. Where negative results are clamped to the zero point, `ties` is 0 and the sign is left out.
 */
#ifndef TS_KERNELS_THUMB1_REQUANTIZE_H
#define TS_KERNELS_THUMB1_REQUANTIZE_H

#include <stdint.h>

#define TS_THUMB1_INLINE static inline __attribute__((always_inline))
#define TS_THUMB1_KERNEL static __attribute__((noinline, unused))

/* One output channel. `limb[3]` is unused with three limbs. */
typedef struct {
    int32_t bias; /* with the input's zero point folded in */
    int32_t limb[4];
    int32_t rounding;
    int32_t shift;
} ts_thumb1_channel;

/* Doubling high multiply with rounding: floor((value * multiplier + 2^30) / 2^31). */
TS_THUMB1_INLINE int32_t ts_thumb1_multiply_high(int32_t value, const ts_thumb1_channel *channel, const int32_t limbs)
{
    if (limbs == 3) {
        int32_t product = (value * channel->limb[0]) >> 10;
        product = (product + value * channel->limb[1]) >> 10;
        return (product + value * channel->limb[2] + (1 << 10)) >> 11;
    }
    int32_t product = (value * channel->limb[0]) >> 8;
    product = (product + value * channel->limb[1]) >> 8;
    product = (product + value * channel->limb[2]) >> 8;
    return (product + value * channel->limb[3] + (1 << 6)) >> 7;
}

TS_THUMB1_INLINE int8_t ts_thumb1_requantize(int32_t acc, const ts_thumb1_channel *channel, const int32_t limbs,
                                             const int32_t ties, int32_t activation_min, int32_t activation_max)
{
    int32_t value = ts_thumb1_multiply_high(acc + channel->bias, channel, limbs);
    value = (value + channel->rounding + (ties ? value >> 31 : 0)) >> channel->shift;
    value = value < activation_min ? activation_min : value;
    return (int8_t)(value > activation_max ? activation_max : value);
}

/* Runs of sums, as the assembly stores them. All in bytes. */
typedef struct {
    int32_t run_bytes, step, runs, next_acc, next_output, next_channel;
} ts_thumb1_store_args;

/* store.S: for outputs clamped to [-128, 127]. */
typedef void ts_thumb1_store(const int32_t *acc, const ts_thumb1_channel *channel, int8_t *output,
                             const ts_thumb1_store_args *args);
ts_thumb1_store ts_thumb1_store_3, ts_thumb1_store_3_ties, ts_thumb1_store_4, ts_thumb1_store_4_ties;

/* Any clamping: the same runs in C where the activation is narrower, else the assembly. */
TS_THUMB1_INLINE void ts_thumb1_store_runs(const int32_t *acc, const ts_thumb1_channel *channel, int8_t *output,
                                           const ts_thumb1_store_args *args, const int32_t limbs, const int32_t ties,
                                           int32_t activation_min, int32_t activation_max)
{
    if (activation_min == -128 && activation_max == 127) {
        ts_thumb1_store *const store =
            limbs == 3 ? (ties ? ts_thumb1_store_3_ties : ts_thumb1_store_3)
                       : (ties ? ts_thumb1_store_4_ties : ts_thumb1_store_4);
        store(acc, channel, output, args);
        return;
    }
    for (int32_t run = args->runs; run > 0; --run) {
        int8_t *to = output;
        for (int32_t i = 0; i < args->run_bytes / 4; ++i) {
            *to = ts_thumb1_requantize(acc[i], channel, limbs, ties, activation_min, activation_max);
            to += args->step;
        }
        acc += args->next_acc / 4;
        output += args->next_output;
        channel += args->next_channel / (int32_t)sizeof(*channel);
    }
}

#endif
