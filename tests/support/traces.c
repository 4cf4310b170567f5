/* SPDX-License-Identifier: Apache-2.0 */
/* Runs a compiled model layer by layer and keeps the CRC-32 of every tensor that a layer writes: see traces.py. */
#include "model.h"

#include <stddef.h>
#include <stdint.h>

#include "traces.h" /* samples, and for each layer the places of what it writes */

uint32_t results[SAMPLES * TENSORS];

static uint32_t crc32(const uint8_t *bytes, uint32_t count)
{
    uint32_t crc = ~0u;
    for (uint32_t i = 0; i < count; i++) {
        crc ^= bytes[i];
        for (int bit = 0; bit < 8; bit++) {
            crc = (crc >> 1) ^ (0xEDB88320u & (0u - (crc & 1u)));
        }
    }
    return ~crc;
}

#ifdef SEMIHOSTING
#include "m55_start.h"

static void report(void)
{
    for (uint32_t i = 0; i < SAMPLES * TENSORS; i++) {
        char line[10];
        for (uint32_t digit = 0; digit < 8; digit++) {
            line[digit] = "0123456789abcdef"[(results[i] >> (28 - 4 * digit)) & 15];
        }
        line[8] = '\n';
        line[9] = 0;
        semihost(4, line);
    }
    semihost(0x18, (const void *)0x20026);
}
#else
static void report(void)
{
}
#endif

void run_all(void);
void run_all(void)
{
    uint32_t *result = results;
    ts_model_init();
    for (uint32_t sample = 0; sample < SAMPLES; sample++) {
        uint8_t *input = ts_model_input(0);
        for (uint32_t i = 0; i < TS_MODEL_INPUT_0_BYTES; i++) {
            input[i] = samples[sample][i];
        }
        for (uint32_t layer = 0; layer < TS_MODEL_LAYER_COUNT; layer++) {
            ts_model_invoke_layer(layer);
            for (uint32_t i = layer_first[layer]; i < layer_first[layer + 1]; i++) {
                *result++ = crc32(ts_model_arena_start() + places[i].offset, places[i].bytes);
            }
        }
    }
    report();
    for (;;) {
    }
}
