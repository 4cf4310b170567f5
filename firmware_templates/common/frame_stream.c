/* SPDX-License-Identifier: Apache-2.0 */
#include "frame_stream.h"

#include "mlperf.h"
#include "model_io.h"
#include "port.h"
#include "serial_text.h"

#if CONFIG_STREAM_SAMPLES > 0u
#include "log_mel.h"
#endif

#if CONFIG_STREAM_FRAME_BYTES > 0u

#define KEPT_ACTIVATIONS 512u /* the last 16 s */
#define KEPT_DETECTIONS 64u
#define PER_LINE 16u

static int is_on;
static int was_heard;
static uint32_t steps;
static uint64_t busy;
static int8_t activations[KEPT_ACTIVATIONS];
static uint32_t detections[KEPT_DETECTIONS]; /* the step of each */
static uint32_t detected;

#if CONFIG_STREAM_SAMPLES > 0u

/* The window that the next features are computed of: the older half was heard before. */
static int16_t sound[LOG_MEL_WINDOW];
static int16_t before; /* the sample that left it last */
static uint32_t fresh;

static void forget_sound(void)
{
    for (uint32_t i = 0; i < LOG_MEL_WINDOW; i++) {
        sound[i] = 0;
    }
    before = 0;
    fresh = 0;
}

uint32_t stream_hear(const int16_t *samples, uint32_t count)
{
    uint32_t taken = 0;
    while (taken < count && fresh < CONFIG_STREAM_SAMPLES) {
        sound[LOG_MEL_WINDOW - CONFIG_STREAM_SAMPLES + fresh] = samples[taken];
        taken++;
        fresh++;
    }
    return taken;
}

int stream_frame_is_due(void)
{
    return fresh == CONFIG_STREAM_SAMPLES;
}

void stream_features(uint8_t *frame)
{
    float features[LOG_MEL_BANDS];
    log_mel(sound, before, features);
    before = sound[CONFIG_STREAM_SAMPLES - 1u];
    for (uint32_t i = 0; i < LOG_MEL_WINDOW - CONFIG_STREAM_SAMPLES; i++) {
        sound[i] = sound[i + CONFIG_STREAM_SAMPLES];
    }
    fresh = 0;
    const float scale = mlperf_scale_of(&model_inputs[0]);
    for (uint32_t i = 0; i < LOG_MEL_BANDS; i++) { /* towards zero, as the reference firmware converts */
        const float value = features[i] / scale + (float)model_inputs[0].zero_point;
        const float held = value > 127.0f ? 127.0f : value < -128.0f ? -128.0f : value;
        frame[i] = (uint8_t)(int8_t)(int32_t)held;
    }
}

#endif

static void print_signed(int32_t value)
{
    if (value < 0) {
        print_text("-");
    }
    print_unsigned((uint64_t)(value < 0 ? -(int64_t)value : value));
}

static void detect(uint32_t step)
{
    port_detection_edge();
    if (detected < KEPT_DETECTIONS) {
        detections[detected] = step;
    }
    detected++;
}

void stream_start(void)
{
    is_on = 1;
    was_heard = 0;
    steps = 0;
    busy = 0;
    detected = 0;
#if CONFIG_STREAM_SAMPLES > 0u
    forget_sound();
#endif
    detect(0);
}

void stream_stop(void)
{
    is_on = 0;
}

int stream_is_on(void)
{
    return is_on;
}

void stream_push(uint8_t *window, uint32_t window_bytes, const uint8_t *frame)
{
    const uint32_t kept = window_bytes - CONFIG_STREAM_FRAME_BYTES;
    for (uint32_t i = 0; i < kept; i++) {
        window[i] = window[i + CONFIG_STREAM_FRAME_BYTES];
    }
    for (uint32_t i = 0; i < CONFIG_STREAM_FRAME_BYTES; i++) {
        window[kept + i] = frame[i];
    }
}

int stream_step(const uint8_t *output, uint64_t busy_us)
{
    const int8_t *const scores = (const int8_t *)output;
    int is_heard = 1;
    for (uint32_t i = 1; i < model_outputs[0].bytes; i++) {
        is_heard = is_heard && scores[0] > scores[i];
    }
    activations[steps % KEPT_ACTIVATIONS] = scores[0];
    steps++;
    busy += busy_us;
    const int begins = is_heard && !was_heard;
    was_heard = is_heard;
    if (begins) {
        detect(steps);
    }
    return begins;
}

static void print_figure(const char *name, uint64_t value)
{
    print_text("ts-stream-[");
    print_text(name);
    print_unsigned(value);
    print_text("]");
    print_line_end();
}

void stream_print_figures(void)
{
    print_figure("steps=", steps);
    print_figure("detections=", detected > 0u ? detected - 1u : 0u);
    print_figure("busy_us=", busy);
    print_figure("duty_cycle_permille=", steps > 0u ? busy / ((uint64_t)steps * STREAM_STEP_MS) : 0u);
}

void stream_print_activations(void)
{
    const uint32_t first = steps > KEPT_ACTIVATIONS ? steps - KEPT_ACTIVATIONS : 0u;
    stream_print_figures();
    print_text("target activations:"); /* and to the end of the answer one array, for the runner */
    print_line_end();
    print_text("[");
    for (uint32_t i = first; i < steps; i++) {
        if (i > first) {
            print_text(",");
            if ((i - first) % PER_LINE == 0u) {
                print_line_end();
            }
        }
        print_signed(activations[i % KEPT_ACTIVATIONS]);
    }
    print_text("]");
    print_line_end();
}

void stream_print_detections(void)
{
    print_text("Detection Timestamps (ms)");
    print_line_end();
    for (uint32_t i = 0; i < detected && i < KEPT_DETECTIONS; i++) {
        print_unsigned((uint64_t)detections[i] * STREAM_STEP_MS);
        print_text(",");
        print_line_end();
    }
}

#else

/* Nothing streams in this model. */
typedef int stream_is_not_there;

#endif
