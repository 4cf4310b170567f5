/* SPDX-License-Identifier: Apache-2.0 */
/* A model that listens: frames come one by one, the window of the last ones is the model's input, and the wake word is
 * the first of its classes. As MLPerf Tiny's streaming wake word has it, a step every 32 ms. */
#ifndef FRAME_STREAM_H
#define FRAME_STREAM_H

#include <stdint.h>

#include "config.h"

#define STREAM_STEP_MS 32u

void stream_start(void); /* marks the beginning with an edge of the detection pin */
void stream_stop(void);
int stream_is_on(void);

/* The oldest frame leaves the window, `frame` becomes its newest. */
void stream_push(uint8_t *window, uint32_t window_bytes, const uint8_t *frame);

#if CONFIG_STREAM_SAMPLES > 0u
/* Takes samples at 16 kHz until a frame is due, and returns how many it took; then its features are computed, in the
 * model's own type, and the next samples are taken. */
uint32_t stream_hear(const int16_t *samples, uint32_t count);
int stream_frame_is_due(void);
void stream_features(uint8_t *frame);
#endif

/* After the window's inference, which took busy_us: 1 where the wake word begins, which is an edge of the pin. */
int stream_step(const uint8_t *output, uint64_t busy_us);

void stream_print_figures(void);     /* steps, detections, microseconds of computing, their share of the steps' time */
void stream_print_activations(void); /* of the wake word, in the output's own units, and the duty cycle */
void stream_print_detections(void);  /* milliseconds from the start; the first is the start itself */

#endif
