/* SPDX-License-Identifier: Apache-2.0 */
/* From a spectrum to the features of a speech model: energies, filter bank, square root, noise subtraction, automatic
 * gain (PCAN) and logarithm. All values are unsigned fixed-point numbers. Equal to TFLM's signal operators. */
#ifndef TS_FILTER_BANK_H
#define TS_FILTER_BANK_H

#include <stdint.h>

#include "common/bits.h"
#include "common/compiler.h"
#include "common/fixed_point.h"

typedef struct {
    int32_t count, start, end;
} ts_energy_params;

/* re^2 + im^2 of the frequencies from start to end, 0 of the others. input [count][2]. */
static inline void ts_energy(const ts_energy_params *p, const int16_t *input, uint32_t *output)
{
    for (int32_t i = 0; i < p->count; i++) {
        const int32_t re = input[2 * i], im = input[2 * i + 1];
        output[i] = i >= p->start && i < p->end ? (uint32_t)(re * re) + (uint32_t)(im * im) : 0;
    }
}

/* Weights of at least 0. */
typedef struct {
    int32_t channels;
    const int16_t *weights, *unweights;
    const int16_t *frequency_starts, *weight_starts, *widths; /* [channels + 1] */
} ts_filter_bank_params;

/* Adds width frequencies to a channel's sum and to that of the next one. */
static TS_ALWAYS_INLINE void ts_filter_bank_channel(const uint32_t *input, const int16_t *weights,
                                                    const int16_t *unweights, int32_t width, int is_signed,
                                                    uint64_t *sum, uint64_t *next)
{
    uint64_t own = *sum, after = *next;
    for (const uint32_t *const end = input + width; input < end; input++, weights++, unweights++) {
        own += (is_signed ? (uint64_t)(int64_t)*weights : (uint32_t)(uint16_t)*weights) * (uint64_t)*input;
        after += (is_signed ? (uint64_t)(int64_t)*unweights : (uint32_t)(uint16_t)*unweights) * (uint64_t)*input;
    }
    *sum = own;
    *next = after;
}

/* Triangles: each frequency counts to a channel by its weight and to the next by its unweight. What lies below the
 * first channel's peak only adds its unweight to it. */
static inline void ts_filter_bank(const ts_filter_bank_params *p, const uint32_t *input, uint64_t *output)
{
    uint64_t sum = 0;
    for (int32_t c = 0; c <= p->channels; c++) {
        const int32_t weight = p->weight_starts[c];
        uint64_t next = 0;
        ts_filter_bank_channel(input + p->frequency_starts[c], p->weights + weight, p->unweights + weight, p->widths[c],
                               0, &sum, &next);
        if (c > 0) {
            output[c - 1] = sum;
        }
        sum = next;
    }
}

/* The tables are computed at run time, or have weights below 0. A channel that reaches beyond the spectrum or the
 * weights adds nothing. */
typedef struct {
    int32_t channels, frequencies, weights; /* how many there are */
} ts_filter_bank_computed_params;

static inline void ts_filter_bank_computed(const ts_filter_bank_computed_params *p, const uint32_t *input,
                                           const int16_t *weights, const int16_t *unweights,
                                           const int16_t *frequency_starts, const int16_t *weight_starts,
                                           const int16_t *widths, uint64_t *output)
{
    uint64_t sum = 0;
    for (int32_t c = 0; c <= p->channels; c++) {
        const int32_t frequency = frequency_starts[c], weight = weight_starts[c], width = widths[c];
        const int inside =
            frequency >= 0 && weight >= 0 && frequency + width <= p->frequencies && weight + width <= p->weights;
        uint64_t next = 0;
        if (inside) {
            ts_filter_bank_channel(input + frequency, weights + weight, unweights + weight, width, 1, &sum, &next);
        }
        if (c > 0) {
            output[c - 1] = sum;
        }
        sum = next;
    }
}

/* The nearest integer to the root; 16 bits at most for arguments of up to 32 bits. */
static inline uint32_t ts_square_root(uint64_t value)
{
    const uint32_t limit = value >> 32 ? UINT32_MAX : UINT16_MAX;
    uint64_t rest;
    const uint32_t root = ts_root_u64(value, &rest);
    return rest > root && root < limit ? root + 1 : root;
}

typedef struct {
    int32_t channels;
} ts_filter_bank_square_root_params;

static inline void ts_filter_bank_square_root(const ts_filter_bank_square_root_params *p, const uint64_t *input,
                                              const int32_t *scale_bits, uint32_t *output)
{
    for (int32_t c = 0; c < p->channels; c++) {
        output[c] = ts_square_root(input[c]) >> (*scale_bits & 31);
    }
}

typedef struct {
    int32_t channels;
    uint32_t smoothing[2], one_minus_smoothing[2]; /* of even and odd channels */
    uint32_t min_signal_remaining;
    int32_t smoothing_bits, spectral_subtraction_bits, clamping;
} ts_filter_bank_spectral_subtraction_params;

/* estimate is the state [channels]: the noise, smoothed over time; noise is a copy of it. */
static inline void ts_filter_bank_spectral_subtraction(const ts_filter_bank_spectral_subtraction_params *p,
                                                       const uint32_t *input, uint32_t *output, uint32_t *noise,
                                                       uint32_t *estimate)
{
    for (int32_t c = 0; c < p->channels; c++) {
        const uint32_t scaled = input[c] << p->smoothing_bits;
        const uint64_t mixed =
            (uint64_t)scaled * p->smoothing[c & 1] + (uint64_t)estimate[c] * p->one_minus_smoothing[c & 1];
        const uint32_t floor =
            (uint32_t)(((uint64_t)input[c] * p->min_signal_remaining) >> p->spectral_subtraction_bits);
        uint32_t removed = (uint32_t)(mixed >> p->spectral_subtraction_bits);
        estimate[c] = removed;
        if (removed > scaled) {
            removed = scaled;
            estimate[c] = p->clamping ? removed : estimate[c];
        }
        const uint32_t left = (scaled - removed) >> p->smoothing_bits;
        output[c] = left > floor ? left : floor;
        noise[c] = estimate[c];
    }
}

typedef struct {
    int32_t channels, snr_shift;
    const int16_t *gains; /* a parabola (3 values of 4) for each power of two of the noise */
} ts_pcan_params;

static inline int16_t ts_pcan_gain(const int16_t *gains, uint32_t noise)
{
    if (noise <= 2) {
        return gains[noise];
    }
    const int32_t bits = 32 - ts_leading_zeros(noise);
    const int16_t *parabola = gains + 4 * bits - 6;
    const int32_t rest = (int32_t)((bits < 11 ? noise << (11 - bits) : noise >> (bits - 11)) & 0x3ff);
    int32_t value = (parabola[2] * rest) >> 5;
    value = ts_wrap_add(value, (int32_t)((uint32_t)(int32_t)parabola[1] << 5));
    value = (int32_t)((uint32_t)value * (uint32_t)rest);
    return (int16_t)((ts_wrap_add(value, 1 << 14) >> 15) + parabola[0]);
}

/* x^2 / 4 below 2, else x - 1: from 12 to 6 fractional bits. */
static inline uint32_t ts_pcan_shrink(uint32_t x)
{
    return x < (2u << 12) ? (x * x) >> 20 : (x >> 6) - (1u << 6);
}

static inline void ts_pcan(const ts_pcan_params *p, const uint32_t *input, const uint32_t *noise, uint32_t *output)
{
    for (int32_t c = 0; c < p->channels; c++) {
        const uint32_t gain = (uint32_t)(int32_t)ts_pcan_gain(p->gains, noise[c]);
        output[c] = ts_pcan_shrink((uint32_t)(((uint64_t)input[c] * gain) >> p->snr_shift));
    }
}

/* The gains are computed at run time. */
static inline void ts_pcan_computed(const ts_pcan_params *p, const uint32_t *input, const uint32_t *noise,
                                    const int16_t *gains, uint32_t *output)
{
    ts_pcan_params with = *p;
    with.gains = gains;
    ts_pcan(&with, input, noise, output);
}

typedef struct {
    int32_t channels, input_correction_bits;
    uint32_t output_scale;
    const uint16_t *log2_correction; /* [129]: log2(1 + i / 128) - i / 128 in Q0.16 */
} ts_filter_bank_log_params;

/* output_scale * ln(value), of 16 fractional bits before the scale. */
static inline uint32_t ts_filter_bank_ln(const ts_filter_bank_log_params *p, uint32_t value)
{
    const int32_t whole = 31 - ts_leading_zeros(value);
    const uint32_t rest = value - ((uint32_t)1 << whole);
    const int32_t fraction = (int32_t)(whole < 16 ? rest << (16 - whole) : rest >> (whole - 16));
    const int32_t segment = fraction >> 9;
    const int32_t low = p->log2_correction[segment], high = p->log2_correction[segment + 1];
    const int32_t between = ((high - low) * (fraction - (segment << 9))) >> 16;
    const uint32_t log2 = ((uint32_t)whole << 16) + (uint32_t)(fraction + low + between);
    const uint32_t ln = (uint32_t)((45426ull * log2 + 32768) >> 16); /* ln(2) in Q0.16 */
    return (p->output_scale * ln + 32768) >> 16;
}

static inline void ts_filter_bank_log(const ts_filter_bank_log_params *p, const uint32_t *input, int16_t *output)
{
    for (int32_t c = 0; c < p->channels; c++) {
        const uint32_t value = input[c] << p->input_correction_bits;
        const uint32_t log = value > 1 ? ts_filter_bank_ln(p, value) : 0;
        output[c] = (int16_t)(log < INT16_MAX ? log : INT16_MAX);
    }
}

#endif
