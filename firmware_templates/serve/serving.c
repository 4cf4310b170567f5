/* SPDX-License-Identifier: Apache-2.0 */
#include "serving.h"

#include <stddef.h>

#include "config.h"
#include "health.h"
#include "port.h"
#include "slots_port.h"

#define CRASH_MAGIC 0x48535243u /* "CRSH" */

_Static_assert(sizeof(void *) != 4 || sizeof(ts_model_table) == 20 * 4, "the table's layout is the interface");

/* What a fault leaves for the start after it. Not initialised: it must outlive the reset. */
static struct {
    uint32_t magic;
    uint32_t pc;
    uint32_t check; /* of both: RAM holds anything after power-up */
} crash __attribute__((section(".noinit")));

static const char *no_layer(uint32_t layer)
{
    (void)layer;
    return "";
}

static const ts_model_table k_nothing = {.name = "", .layer_name = no_layer};

static uint8_t model_memory[CONFIG_MODEL_MEMORY_BYTES] __attribute__((aligned(16)));
static uint64_t context[TS_MODEL_CONTEXT_BYTES / 8u];
static ts_event_callback listener;
static char sha256_text[2u * TS_SHA256_BYTES + 1u];

const ts_model_table *serving = &k_nothing;
ts_slots serving_slots;

static const ts_slots_layout k_layout = {{CONFIG_SLOT_0, CONFIG_SLOT_1},
                                         CONFIG_SLOT_BYTES,
                                         {CONFIG_JOURNAL_0, CONFIG_JOURNAL_1},
                                         CONFIG_SECTOR_BYTES,
                                         CONFIG_UNIT_BYTES};
static const uint8_t k_key[TS_ED25519_KEY_BYTES] = CONFIG_KEY;

static uint32_t aligned(uint32_t count)
{
    return (count + TS_MODEL_ALIGNMENT - 1u) & ~(TS_MODEL_ALIGNMENT - 1u);
}

static void copy(uint8_t *to, const uint8_t *from, uint32_t count)
{
    for (uint32_t i = 0; i < count; ++i) {
        to[i] = from[i];
    }
}

/* ---- models ---- */

/* The table of an image whose signature holds. Its maker is trusted; a mistake of theirs must not reach beyond the
 * memory that there is. NULL for a table that this firmware can't use. */
static const ts_model_table *table_of(const ts_image *image)
{
    const ts_model_table *const table = (const ts_model_table *)(const void *)image->body;
    if (image->body_bytes < sizeof *table || table->magic != TS_MODEL_MAGIC || table->abi != TS_MODEL_ABI ||
        table->input_count > TS_MODEL_MAX_TENSORS || table->output_count > TS_MODEL_MAX_TENSORS ||
        table->event_count > TS_MODEL_MAX_EVENTS || table->arena_bytes > sizeof model_memory) {
        return NULL;
    }
    const uint32_t arena_bytes = aligned(table->arena_bytes);
    if (arena_bytes > sizeof model_memory) {
        return NULL;
    }
    uint32_t left = (uint32_t)sizeof model_memory - arena_bytes;
    for (uint32_t i = 0; i < table->input_count; ++i) {
        if (table->inputs[i].bytes > left || aligned(table->inputs[i].bytes) > left) {
            return NULL;
        }
        left -= aligned(table->inputs[i].bytes);
    }
    return table;
}

static void hex_of(const uint8_t *bytes)
{
    for (uint32_t i = 0; i < TS_SHA256_BYTES; ++i) {
        sha256_text[2u * i] = "0123456789abcdef"[bytes[i] >> 4];
        sha256_text[2u * i + 1u] = "0123456789abcdef"[bytes[i] & 15u];
    }
}

int serving_is_on(void)
{
    return serving != &k_nothing;
}

const char *serving_sha256(void)
{
    return serving_is_on() ? sha256_text : "";
}

void serving_load_active(void)
{
    ts_image image;
    const uint32_t slot = serving_slots.record.active;
    serving = &k_nothing;
    if (slot == TS_NO_SLOT || !ts_slots_image(&serving_slots, slot, &image)) {
        return;
    }
    const ts_model_table *const table = table_of(&image);
    if (table != NULL && table->init(context, model_memory) == 0) {
        serving = table;
        serving_on_event(listener);
        hex_of(image.model);
        health_model(image.model);
    }
}

void serving_reset(void)
{
    if (serving_is_on()) {
        serving->reset(context);
    }
}

void serving_on_event(ts_event_callback callback)
{
    listener = callback;
    if (serving->on_event != NULL) {
        serving->on_event(context, callback);
    }
}

void *serving_input(uint32_t index)
{
    return serving->input(context, index);
}

uint8_t *serving_input_copy(uint32_t index)
{
    uint8_t *at = model_memory + aligned(serving->arena_bytes);
    for (uint32_t i = 0; i < index; ++i) {
        at += aligned(serving->inputs[i].bytes);
    }
    return at;
}

void serving_give_inputs(void)
{
    for (uint32_t i = 0; i < serving->input_count; ++i) {
        copy(serving->input(context, i), serving_input_copy(i), serving->inputs[i].bytes);
    }
}

static int is_uncounted;

void serving_count(int is_counted)
{
    is_uncounted = !is_counted;
}

int serving_invoke(void)
{
    if (!serving_is_on()) {
        return 1;
    }
    const uint64_t before = port_ticks();
    port_watchdog(CONFIG_WATCHDOG_TICKS);
    const int status = serving->invoke(context);
    port_watchdog(0);
    if (!is_uncounted && status == 0 && serving->input_count > 0u && serving->output_count > 0u) {
        health_count(serving_input_copy(0), &serving->inputs[0], serving->output(context, 0), &serving->outputs[0],
                     (uint32_t)(port_ticks() - before));
    }
    return status;
}

const void *serving_output(uint32_t index)
{
    return serving->output(context, index);
}

void serving_invoke_layer(uint32_t layer)
{
    port_watchdog(CONFIG_WATCHDOG_TICKS);
    serving->invoke_layer(context, layer);
    port_watchdog(0);
}

/* ---- the proof ---- */

static void give_golden_inputs(const ts_model_table *table, const uint8_t *from)
{
    for (uint32_t i = 0; i < table->input_count; ++i) {
        copy(table->input(context, i), from, table->inputs[i].bytes);
        from += table->inputs[i].bytes;
    }
}

/* Bytes of all inputs and outputs must be those of the golden vector. */
static int golden_fits(const ts_model_table *table, const ts_image *image)
{
    uint32_t inputs = 0;
    uint32_t outputs = 0;
    for (uint32_t i = 0; i < table->input_count; ++i) {
        inputs += table->inputs[i].bytes;
    }
    for (uint32_t i = 0; i < table->output_count; ++i) {
        outputs += table->outputs[i].bytes;
    }
    return inputs == image->golden_input_bytes && outputs == image->golden_output_bytes;
}

static uint32_t first_difference(const ts_model_table *table, const ts_image *image)
{
    uint32_t at = 0;
    for (uint32_t i = 0; i < table->output_count; ++i) {
        const uint8_t *const made = table->output(context, i);
        for (uint32_t k = 0; k < table->outputs[i].bytes; ++k, ++at) {
            if (made[k] != image->golden_output[at]) {
                return at;
            }
        }
    }
    return TS_PROVED;
}

static uint32_t prove(const ts_image *image, uint32_t slot)
{
    (void)slot;
    serving = &k_nothing; /* its memory is the new one's now */
    const ts_model_table *const table = table_of(image);
    if (table == NULL || !golden_fits(table, image)) {
        return 0;
    }
    port_watchdog(CONFIG_WATCHDOG_TICKS);
    uint32_t differs = 0;
    if (table->init(context, model_memory) == 0) {
        give_golden_inputs(table, image->golden_input);
        if (table->invoke(context) == 0) {
            differs = first_difference(table, image);
        }
    }
    port_watchdog(0);
    return differs;
}

/* ---- start and faults ---- */

static const ts_slots_port k_port = {port_flash_erase, port_flash_program, port_flash_at, prove};

void serving_fault(uint32_t pc)
{
    crash.magic = CRASH_MAGIC;
    crash.pc = pc;
    crash.check = ~(CRASH_MAGIC ^ pc);
    port_reset();
}

static ts_slots_cause why_started(void)
{
    ts_slots_cause cause = {TS_REASON_RESET, 0};
    const port_reset_cause reset = port_why_reset();
    if (crash.magic == CRASH_MAGIC && crash.check == ~(CRASH_MAGIC ^ crash.pc) && reset == PORT_SOFTWARE_RESET) {
        cause.reason = TS_REASON_FAULT;
        cause.detail = crash.pc;
    } else if (reset == PORT_WATCHDOG) {
        cause.reason = TS_REASON_TIME_OUT;
    }
    crash.magic = 0;
    if (reset != PORT_WOKEN) {
        health_start(reset == PORT_POWER_ON, (uint32_t)cause.reason, cause.detail);
    }
    return cause;
}

void serving_start(void)
{
    const ts_slots_cause cause = why_started();
    serving_slots.layout = &k_layout;
    serving_slots.port = &k_port;
    serving_slots.rules.abi = TS_MODEL_ABI;
    serving_slots.rules.core = CONFIG_CORE_ID;
    serving_slots.rules.arena_bytes = CONFIG_MODEL_MEMORY_BYTES;
    serving_slots.rules.counter = CONFIG_LEAST_COUNTER;
    copy(serving_slots.rules.key, k_key, TS_ED25519_KEY_BYTES);
    (void)ts_slots_start(&serving_slots, &cause);
    serving_load_active();
}
