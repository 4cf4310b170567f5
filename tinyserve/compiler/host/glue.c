/* SPDX-License-Identifier: Apache-2.0 */
/* What the host build adds to a compiled model: many samples in one call, and a program around it for sanitizers.
 *
 * Built with TS_HEADER ("kws.h") and TS_PREFIX (ts_kws_). With TS_MAIN it is a program that reads one request
 * from stdin and writes the answer to stdout:
 *   uint64 trace, samples, reset, inputs, outputs; uint64 bytes of each input, of each output, of the arena;
 *   per sample the inputs' bytes.
 *   Answer: per sample the outputs' bytes, or with trace the arena after each layer. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include TS_HEADER

#define JOIN_(a, b) a##b
#define JOIN(a, b) JOIN_(a, b)
#define MODEL(name) JOIN(TS_PREFIX, name)

#if defined(_WIN32)
#define EXPORT __declspec(dllexport)
#else
#define EXPORT __attribute__((visibility("default")))
#endif

/* Layer by layer, for builds with the profile functions. */
EXPORT void ts_host_layer(uint32_t layer);
EXPORT const uint8_t *ts_host_arena(void);
EXPORT void ts_host_reset(void);
EXPORT void ts_host_input(uint32_t index, const uint8_t *data, uint64_t bytes);
EXPORT int ts_host_batch(uint64_t samples, uint64_t reset, uint64_t inputs, const uint64_t *input_bytes,
                         const uint8_t *const *input, uint64_t outputs, const uint64_t *output_bytes,
                         uint8_t *const *output);

void ts_host_layer(uint32_t layer)
{
    MODEL(invoke_layer)(layer);
}

const uint8_t *ts_host_arena(void)
{
    return MODEL(arena_start)();
}

void ts_host_reset(void)
{
    MODEL(init)();
}

void ts_host_input(uint32_t index, const uint8_t *data, uint64_t bytes)
{
#ifdef TS_HOST_ROWS
    (void)index;
    (void)bytes;
    (void)MODEL(feed)(data, TS_HOST_ROWS);
#else
    if (bytes > 0) {
        memcpy(MODEL(input)(index), data, (size_t)bytes);
    }
#endif
}

#ifdef TS_HOST_EVENTS
/* Calls back after each inference in which something happened. */
EXPORT void ts_host_on_event(ts_event_callback callback);
EXPORT const void *ts_host_output(uint32_t index);

void ts_host_on_event(ts_event_callback callback)
{
    MODEL(on_event)(callback);
}

const void *ts_host_output(uint32_t index)
{
    return MODEL(output)(index);
}
#endif

/* input[i] holds the samples of input i one after the other, output[i] receives those of output i. With reset,
 * state is set back before each sample. Returns the first status that is not 0. */
int ts_host_batch(uint64_t samples, uint64_t reset, uint64_t inputs, const uint64_t *input_bytes,
                  const uint8_t *const *input, uint64_t outputs, const uint64_t *output_bytes, uint8_t *const *output)
{
    for (uint64_t sample = 0; sample < samples; sample++) {
        if (reset != 0) {
            MODEL(reset)();
        }
        for (uint32_t i = 0; i < inputs; i++) {
            ts_host_input(i, input[i] + sample * input_bytes[i], input_bytes[i]);
        }
        const int status = MODEL(invoke)();
        if (status != 0) {
            return status;
        }
        for (uint32_t i = 0; i < outputs; i++) {
            if (output_bytes[i] > 0) {
                memcpy(output[i] + sample * output_bytes[i], MODEL(output)(i), (size_t)output_bytes[i]);
            }
        }
    }
    return 0;
}

#ifdef TS_MAIN
static void read_exactly(void *to, uint64_t bytes)
{
    if (bytes > 0 && fread(to, 1, (size_t)bytes, stdin) != bytes) {
        fputs("the request is too short\n", stderr);
        exit(2);
    }
}

static void write_exactly(const void *from, uint64_t bytes)
{
    if (bytes > 0 && fwrite(from, 1, (size_t)bytes, stdout) != bytes) {
        fputs("cannot write the answer\n", stderr);
        exit(2);
    }
}

static void *allocate(uint64_t bytes)
{
    void *memory = calloc(1, (size_t)bytes + 1);
    if (memory == NULL) {
        fputs("out of memory\n", stderr);
        exit(2);
    }
    return memory;
}

int main(void)
{
    uint64_t head[5];
    read_exactly(head, sizeof head);
    const uint64_t trace = head[0], samples = head[1], reset = head[2], ports = head[3] + head[4];
    uint64_t *bytes = allocate((ports + 1) * sizeof *bytes);
    uint8_t **data = allocate(ports * sizeof *data);
    read_exactly(bytes, (ports + 1) * sizeof *bytes);
    for (uint64_t i = 0; i < ports; i++) {
        data[i] = allocate(bytes[i]);
    }
    MODEL(init)();
    for (uint64_t sample = 0; sample < samples; sample++) {
        for (uint64_t i = 0; i < head[3]; i++) {
            read_exactly(data[i], bytes[i]);
            if (trace != 0) {
                ts_host_input((uint32_t)i, data[i], bytes[i]);
            }
        }
        if (trace != 0) {
            for (uint32_t layer = 0; MODEL(layer_name)(layer) != NULL; layer++) {
                ts_host_layer(layer);
                write_exactly(ts_host_arena(), bytes[ports]);
            }
            continue;
        }
        const uint8_t *const *inputs = (const uint8_t *const *)data;
        const int status = ts_host_batch(1, reset, head[3], bytes, inputs, head[4], bytes + head[3], data + head[3]);
        if (status != 0) {
            fprintf(stderr, "invoke returned %d\n", status);
            return 3;
        }
        for (uint64_t i = head[3]; i < ports; i++) {
            write_exactly(data[i], bytes[i]);
        }
    }
    for (uint64_t i = 0; i < ports; i++) {
        free(data[i]);
    }
    free(data);
    free(bytes);
    return 0;
}
#endif
