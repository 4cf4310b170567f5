/* SPDX-License-Identifier: Apache-2.0 */
/* Streams of int16 samples cut into frames and put together again: SignalWindow, SignalFftAutoScale, SignalFramer,
 * SignalStacker, SignalDelay and SignalOverlapAdd. Where an output is not valid yet, it is zeros. */
#ifndef TS_FRAMING_H
#define TS_FRAMING_H

#include <stdint.h>

#include "common/fixed_point.h"

typedef struct {
    int32_t rows, length, shift;
} ts_window_params;

/* input [rows][length] times weights [length], shifted right. */
static inline void ts_window(const ts_window_params *p, const int16_t *input, const int16_t *weights, int16_t *output)
{
    for (int32_t row = 0; row < p->rows; row++, input += p->length, output += p->length) {
        for (int32_t i = 0; i < p->length; i++) {
            output[i] = (int16_t)ts_clamp((input[i] * weights[i]) >> p->shift, INT16_MIN, INT16_MAX);
        }
    }
}

typedef struct {
    int32_t count;
} ts_fft_auto_scale_params;

/* Shifts left until the largest magnitude fills 15 bits; scale_bits says by how many, 0 for silence. */
static inline void ts_fft_auto_scale(const ts_fft_auto_scale_params *p, const int16_t *input, int16_t *output,
                                     int32_t *scale_bits)
{
    int32_t largest = 0;
    for (int32_t i = 0; i < p->count; i++) {
        largest = ts_max(largest, input[i] < 0 ? -input[i] : input[i]);
    }
    int32_t bits = largest ? 15 : 0;
    for (largest = ts_min(largest, INT16_MAX); largest; largest >>= 1) {
        bits--;
    }
    for (int32_t i = 0; i < p->count; i++) {
        output[i] = (int16_t)(input[i] * (1 << bits));
    }
    *scale_bits = bits;
}

/* Appends to a queue of samples, takes from its front. Callers know that there is room. */
static inline void ts_queue_push(int16_t *queue, int32_t *length, const int16_t *samples, int32_t count)
{
    for (int32_t i = 0; i < count; i++) {
        queue[*length + i] = samples[i];
    }
    *length += count;
}

static inline void ts_queue_drop(int16_t *queue, int32_t *length, int32_t count)
{
    *length -= count;
    for (int32_t i = 0; i < *length; i++) {
        queue[i] = queue[i + count];
    }
}

static inline void ts_queue_peek(const int16_t *queue, int32_t available, int16_t *output, int32_t count)
{
    for (int32_t i = 0; i < count; i++) {
        output[i] = available ? queue[i] : 0;
    }
}

typedef struct {
    int32_t rows, frames, frame_size, frame_step, capacity;
} ts_framer_params;

/* input [rows][frames * step] to output [rows][frames][size]; queue [rows][capacity] and lengths [rows] are state. */
static inline void ts_framer(const ts_framer_params *p, const int16_t *input, int16_t *output, uint8_t *valid,
                             int16_t *queue, int32_t *lengths)
{
    *valid = 1;
    for (int32_t row = 0; row < p->rows; row++, queue += p->capacity, lengths++) {
        for (int32_t frame = 0; frame < p->frames; frame++, input += p->frame_step, output += p->frame_size) {
            ts_queue_push(queue, lengths, input, p->frame_step);
            const int32_t available = *lengths >= p->frame_size;
            ts_queue_peek(queue, available, output, p->frame_size);
            if (available) {
                ts_queue_drop(queue, lengths, p->frame_step);
            } else {
                *valid = 0;
            }
        }
    }
}

typedef struct {
    int32_t channels, left_context, size, drop;
} ts_stacker_params;

/* input [channels] to output [size]: the last frames side by side, the first one repeated before it. State: the queue
 * [size], and its length and whether there was a frame. */
static inline void ts_stacker(const ts_stacker_params *p, const int16_t *input, int16_t *output, uint8_t *valid,
                              int16_t *queue, int32_t *state)
{
    for (int32_t copies = state[1] ? 1 : 1 + p->left_context; copies > 0; copies--) {
        ts_queue_push(queue, &state[0], input, p->channels);
    }
    state[1] = 1;
    *valid = state[0] >= p->size;
    ts_queue_peek(queue, *valid, output, p->size);
    if (*valid) {
        ts_queue_drop(queue, &state[0], p->drop);
    }
}

typedef struct {
    int32_t rows, length, delay;
} ts_delay_params;

/* output[i] = input[i - delay] of each row of the stream; state [rows][delay]. */
static inline void ts_delay(const ts_delay_params *p, const int16_t *input, int16_t *output, int16_t *state)
{
    for (int32_t row = 0; row < p->rows; row++, input += p->length, output += p->length, state += p->delay) {
        for (int32_t i = 0; i < p->length; i++) {
            output[i] = i < p->delay ? state[i] : input[i - p->delay];
        }
        for (int32_t i = 0; i < p->delay; i++) {
            const int32_t from = i + p->length - p->delay;
            state[i] = from < 0 ? state[i + p->length] : input[from];
        }
    }
}

typedef struct {
    int32_t rows, frames, frame_size, frame_step;
} ts_overlap_add_params;

static inline int16_t ts_overlap_add_sum_s16(int16_t a, int16_t b)
{
    return (int16_t)ts_clamp(a + b, INT16_MIN, INT16_MAX);
}

static inline float ts_overlap_add_sum_f32(float a, float b)
{
    return a + b;
}

/* input [rows][frames][size] to output [rows][frames * step]: frames are summed where they overlap; state [rows][size].
 */
#define TS_OVERLAP_ADD(SUFFIX, T)                                                                                      \
    static inline void ts_overlap_add_##SUFFIX(const ts_overlap_add_params *p, const T *input, T *output, T *state)    \
    {                                                                                                                  \
        for (int32_t row = 0; row < p->rows; row++, state += p->frame_size) {                                          \
            for (int32_t frame = 0; frame < p->frames; frame++, input += p->frame_size, output += p->frame_step) {     \
                for (int32_t i = 0; i < p->frame_size; i++) {                                                          \
                    const T sum = ts_overlap_add_sum_##SUFFIX(input[i], state[i]);                                     \
                    if (i < p->frame_step) {                                                                           \
                        output[i] = sum;                                                                               \
                    } else {                                                                                           \
                        state[i - p->frame_step] = sum;                                                                \
                    }                                                                                                  \
                }                                                                                                      \
                for (int32_t i = p->frame_size - p->frame_step; i < p->frame_size; i++) {                              \
                    state[i] = 0;                                                                                      \
                }                                                                                                      \
            }                                                                                                          \
        }                                                                                                              \
    }

TS_OVERLAP_ADD(s16, int16_t)
TS_OVERLAP_ADD(f32, float)

#undef TS_OVERLAP_ADD

#endif
