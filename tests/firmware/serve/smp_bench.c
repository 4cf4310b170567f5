/* SPDX-License-Identifier: Apache-2.0 */
/* SMP, slots and counters of firmware with slots as a program of this computer: what comes on standard input is what
 * the UART receives. The model is a stand-in that adds one to its input; flash lies in an array. */
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"
#include "health.h"
#include "line_rate.h"
#include "port.h"
#include "protocol.h"
#include "secure.h"
#include "serving.h"
#include "slots_port.h"
#include "smp_frame.h"

static uint8_t flash[(2u + 2u * 6u) * CONFIG_SECTOR_BYTES];
static uint8_t *input_copy; /* as large as the input, so that a byte beyond it is seen */
static uint8_t *output;
static jmp_buf reset;

static const tensor_io tensors[1] = {{64, 1, ELEMENT_SIGNED, 4, 0, 1, 0}};
static const char *layer_name(uint32_t layer)
{
    return layer == 0 ? "add" : "";
}
static const ts_model_table table = {.input_count = 1,
                                     .output_count = 1,
                                     .layer_count = 1,
                                     .inputs = tensors,
                                     .outputs = tensors,
                                     .name = "bench",
                                     .layer_name = layer_name};
const ts_model_table *serving = &table;
ts_slots serving_slots;

int port_flash_erase(uint32_t address)
{
    memset(flash + (address - CONFIG_JOURNAL_0), 0xff, CONFIG_SECTOR_BYTES);
    return 0;
}
int port_flash_program(uint32_t address, const uint8_t *bytes, uint32_t count)
{
    for (uint32_t i = 0; i < count; ++i) {
        flash[address - CONFIG_JOURNAL_0 + i] &= bytes[i];
    }
    return 0;
}
const uint8_t *port_flash_at(uint32_t address)
{
    return flash + (address - CONFIG_JOURNAL_0);
}
static uint32_t prove(const ts_image *image, uint32_t slot)
{
    (void)image;
    (void)slot;
    return TS_PROVED;
}
void port_reset(void)
{
    longjmp(reset, 1);
}
int port_baud(uint32_t rate)
{
    return rate == 0u;
}
/* Numbers that a test can foresee: the n-th draw is n, n, ..., with its place added. */
int port_random(uint8_t *to, uint32_t count)
{
    static uint8_t draws;
    draws++;
    for (uint32_t i = 0; i < count; ++i) {
        to[i] = (uint8_t)(draws + i);
    }
    return 0;
}
void port_putc(char c)
{
    putchar(c);
}
uint64_t port_ticks(void)
{
    static uint64_t ticks;
    return ticks += 1000;
}
void port_marker(int on)
{
    (void)on;
}
uint32_t port_stack_size(void)
{
    return 0;
}
uint32_t port_stack_used(void)
{
    return 0;
}
void protocol_forget(void)
{
}
int serving_is_on(void)
{
    return 1;
}
void serving_load_active(void)
{
}
const char *serving_sha256(void)
{
    return "00";
}
uint8_t *serving_input_copy(uint32_t index)
{
    return index == 0 ? input_copy : NULL;
}
void serving_give_inputs(void)
{
}
void serving_count(int is_counted)
{
    (void)is_counted;
}
int serving_invoke(void)
{
    for (uint32_t i = 0; i < 64; ++i) {
        output[i] = (uint8_t)(input_copy[i] + 1);
    }
    health_count(input_copy, &tensors[0], output, &tensors[0], 1000000);
    return 0;
}
void serving_invoke_layer(uint32_t layer)
{
    (void)layer;
    (void)serving_invoke();
}
const void *serving_output(uint32_t index)
{
    return index == 0 ? output : NULL;
}

static void start(void)
{
    static const ts_slots_layout layout = {{CONFIG_SLOT_0, CONFIG_SLOT_1},
                                           CONFIG_SLOT_BYTES,
                                           {CONFIG_JOURNAL_0, CONFIG_JOURNAL_1},
                                           CONFIG_SECTOR_BYTES,
                                           4};
    static const ts_slots_port port = {port_flash_erase, port_flash_program, port_flash_at, prove};
    static const uint8_t key[32] = CONFIG_KEY;
    const ts_slots_cause cause = {TS_REASON_RESET, 0};
    serving_slots.layout = &layout;
    serving_slots.port = &port;
    serving_slots.rules = (ts_image_rules){.abi = 1, .core = CONFIG_CORE_ID, .arena_bytes = 4096};
    memcpy(serving_slots.rules.key, key, 32);
    (void)ts_slots_start(&serving_slots, &cause);
    smp_frame_reset();
    /* What a reset does to RAM. */
    static const uint8_t nobody[64];
    secure_lock();
    (void)secure_unlock(nobody);
}

int main(void)
{
    input_copy = malloc(64);
    output = malloc(64);
    memset(input_copy, 0, 64);
    memset(flash, 0xff, sizeof flash);
    health_start(1, 0, 0);
    (void)setjmp(reset);
    start();
    for (int c = getchar(); c != EOF; c = getchar()) {
        (void)smp_frame_receive((uint8_t)c);
    }
    free(input_copy);
    free(output);
    return 0;
}
