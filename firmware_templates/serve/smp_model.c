/* SPDX-License-Identifier: Apache-2.0 */
/* Group 64, our own: the model that is served, its counters, and what the slots remember. */
#include <stddef.h>

#include "config.h"
#include "health.h"
#include "port.h"
#include "protocol.h"
#include "serving.h"
#include "smp.h"
#include "smp_frame.h"

enum {
    MODEL_INFO = 0,
    MODEL_LOAD = 1,
    MODEL_INFER = 2,
    MODEL_OUTPUT = 3,
    MODEL_PROFILE = 4,
    MODEL_HEALTH = 5,
    MODEL_SLOTS = 6,
    MODEL_REVERT = 7
};

/* Errors of the group. */
enum { E_NO_MODEL = 1, E_INCOMPLETE = 2, E_NO_RESULT = 3, E_RANGE = 4, E_ORDER = 5, E_INVOKE = 6, E_FLASH = 7 };

#define MOST_RUNS 32u
#define MOST_EVENTS 8u    /* per answer */
#define OUTPUT_BYTES 640u /* per answer */

static uint32_t loaded[TS_MODEL_MAX_TENSORS];
static int has_output;
static ts_event events[MOST_EVENTS]; /* of the inferences since infer began */
static uint32_t event_count;         /* with those that had no place among them */
static uint32_t next_layer;

static int fail(smp_request *request, uint32_t code)
{
    smp_fail(request, code, SMP_BAD_STATE);
    return SMP_OK;
}

void smp_model_changed(void)
{
    serving_load_active();
    protocol_forget();
    for (uint32_t i = 0; i < TS_MODEL_MAX_TENSORS; ++i) {
        loaded[i] = 0;
    }
    has_output = 0;
    next_layer = 0;
}

static void sizes(smp_request *request, const char *name, const tensor_io *tensors, uint32_t count)
{
    cbor_text(&request->out, name);
    cbor_begin_list(&request->out);
    for (uint32_t i = 0; i < count; ++i) {
        cbor_unsigned(&request->out, tensors[i].bytes);
    }
    cbor_end(&request->out);
}

static int info(smp_request *request)
{
    cbor_pair_unsigned(&request->out, "abi", TS_MODEL_ABI);
    cbor_pair_text(&request->out, "board", CONFIG_BOARD);
    cbor_pair_text(&request->out, "core", CONFIG_CORE);
    cbor_pair_text(&request->out, "firmware", CONFIG_FIRMWARE_ID);
    cbor_pair_text(&request->out, "model", serving->name);
    cbor_pair_text(&request->out, "sha256", serving_sha256());
    sizes(request, "inputs", serving->inputs, serving->input_count);
    sizes(request, "outputs", serving->outputs, serving->output_count);
    cbor_pair_unsigned(&request->out, "layers", serving->layer_count);
    cbor_pair_unsigned(&request->out, "arena", serving->arena_bytes);
    cbor_pair_unsigned(&request->out, "memory", CONFIG_MODEL_MEMORY_BYTES);
    cbor_pair_unsigned(&request->out, "stack_used", port_stack_used());
    cbor_pair_unsigned(&request->out, "stack_size", port_stack_size());
    cbor_pair_text(&request->out, "tick_unit", CONFIG_TICK_UNIT);
    cbor_pair_unsigned(&request->out, "tick_hz", CONFIG_TICK_HZ);
    return SMP_OK;
}

/* Bytes may come twice, or over what is there: the end of what is loaded without a gap counts. */
static int load(smp_request *request)
{
    const uint32_t index = smp_number(request, "index", 0);
    const uint32_t offset = smp_number(request, "off", 0);
    const cbor_value data = smp_argument(request, "data");
    if (!request->is_write || data.kind != CBOR_BYTES) {
        return SMP_INVALID;
    }
    if (index >= serving->input_count) {
        return fail(request, serving_is_on() ? E_RANGE : E_NO_MODEL);
    }
    const uint32_t bytes = serving->inputs[index].bytes;
    if (offset > bytes || data.count > bytes - offset) {
        return fail(request, E_RANGE);
    }
    if (offset <= loaded[index]) {
        uint8_t *const to = serving_input_copy(index) + offset;
        for (uint32_t i = 0; i < data.count; ++i) {
            to[i] = data.bytes[i];
        }
        if (offset == 0u || offset + data.count > loaded[index]) {
            loaded[index] = offset + data.count;
        }
        has_output = 0;
    }
    cbor_pair_unsigned(&request->out, "off", loaded[index]);
    return SMP_OK;
}

static int inputs_are_whole(void)
{
    for (uint32_t i = 0; i < serving->input_count; ++i) {
        if (loaded[i] != serving->inputs[i].bytes) {
            return 0;
        }
    }
    return 1;
}

void smp_model_event(const ts_event *event)
{
    if (event_count < MOST_EVENTS) {
        events[event_count] = *event;
    }
    event_count++;
}

/* In the order in which they happened; "lost" counts those that an answer does not hold. */
static void say_events(smp_request *request)
{
    const uint32_t kept = event_count < MOST_EVENTS ? event_count : MOST_EVENTS;
    cbor_text(&request->out, "events");
    cbor_begin_list(&request->out);
    for (uint32_t i = 0; i < kept; ++i) {
        cbor_begin_map(&request->out);
        cbor_pair_text(&request->out, "name", events[i].name);
        cbor_pair_unsigned(&request->out, "class", (uint32_t)events[i].class_number);
        cbor_pair_unsigned(&request->out, "inference", events[i].inference);
        cbor_pair_unsigned(&request->out, "sample_high", (uint32_t)(events[i].sample >> 32));
        cbor_pair_unsigned(&request->out, "sample", (uint32_t)events[i].sample);
        cbor_pair_unsigned(&request->out, "first", events[i].first_output);
        cbor_pair_unsigned(&request->out, "count", events[i].output_count);
        cbor_end(&request->out);
    }
    cbor_end(&request->out);
    cbor_pair_unsigned(&request->out, "lost", event_count - kept);
}

/* 0 on success. An audit's inputs are the host's: they say nothing of the world, so health does not count them. */
static int infer_again_and_again(uint32_t runs, int is_audit, uint32_t *ticks)
{
    int status = 0;
    serving_count(!is_audit);
    for (uint32_t i = 0; i < runs && status == 0; ++i) {
        serving_give_inputs();
        port_marker(1);
        const uint64_t before = port_ticks();
        status = serving_invoke();
        ticks[i] = (uint32_t)(port_ticks() - before);
        port_marker(0);
    }
    serving_count(1);
    return status;
}

static int infer(smp_request *request)
{
    const uint32_t runs = smp_number(request, "runs", 1);
    const cbor_value audit = smp_argument(request, "audit");
    const int is_audit = audit.kind == CBOR_BOOL && audit.number == 1u;
    uint32_t ticks[MOST_RUNS];
    if (!request->is_write || runs == 0u || runs > MOST_RUNS) {
        return SMP_INVALID;
    }
    if (!serving_is_on() || !inputs_are_whole()) {
        return fail(request, serving_is_on() ? E_INCOMPLETE : E_NO_MODEL);
    }
    if (is_audit && serving->is_stateful) {
        return fail(request, E_ORDER); /* it would change what the next inference gives */
    }
    event_count = 0;
    if (infer_again_and_again(runs, is_audit, ticks) != 0) {
        return fail(request, E_INVOKE);
    }
    has_output = 1;
    cbor_text(&request->out, "ticks");
    cbor_begin_list(&request->out);
    for (uint32_t i = 0; i < runs; ++i) {
        cbor_unsigned(&request->out, ticks[i]);
    }
    cbor_end(&request->out);
    if (serving->event_count > 0u) {
        say_events(request);
    }
    return SMP_OK;
}

static int output(smp_request *request)
{
    const uint32_t index = smp_number(request, "index", 0);
    const uint32_t offset = smp_number(request, "off", 0);
    if (index >= serving->output_count || offset > serving->outputs[index].bytes) {
        return fail(request, serving_is_on() ? E_RANGE : E_NO_MODEL);
    }
    if (!has_output) {
        return fail(request, E_NO_RESULT);
    }
    const uint32_t left = serving->outputs[index].bytes - offset;
    cbor_pair_unsigned(&request->out, "len", serving->outputs[index].bytes);
    cbor_pair_unsigned(&request->out, "off", offset);
    cbor_pair_bytes(&request->out, "data", (const uint8_t *)serving_output(index) + offset,
                    left < OUTPUT_BYTES ? left : OUTPUT_BYTES);
    return SMP_OK;
}

/* One layer per request, in order from 0. */
static int profile(smp_request *request)
{
    const uint32_t layer = smp_number(request, "layer", 0);
    if (!request->is_write) {
        return SMP_NOT_SUPPORTED;
    }
    if (!serving_is_on() || layer >= serving->layer_count) {
        return fail(request, serving_is_on() ? E_RANGE : E_NO_MODEL);
    }
    if (!inputs_are_whole()) {
        return fail(request, E_INCOMPLETE);
    }
    if (layer != 0u && layer != next_layer) {
        return fail(request, E_ORDER);
    }
    if (layer == 0u) {
        serving_give_inputs();
    }
    const uint64_t before = port_ticks();
    serving_invoke_layer(layer);
    const uint64_t after = port_ticks();
    next_layer = layer + 1u;
    has_output = has_output || next_layer == serving->layer_count;
    cbor_pair_unsigned(&request->out, "layer", layer);
    cbor_pair_text(&request->out, "name", serving->layer_name(layer));
    cbor_pair_unsigned(&request->out, "ticks", (uint32_t)(after - before));
    return SMP_OK;
}

static int health(smp_request *request)
{
    if (request->is_write) {
        health_clear();
        return SMP_OK;
    }
    cbor_pair_bytes(&request->out, "data", (const uint8_t *)health_read(), (uint32_t)sizeof(health_counters));
    cbor_pair_text(&request->out, "sha256", serving_sha256());
    cbor_pair_text(&request->out, "tick_unit", CONFIG_TICK_UNIT);
    cbor_pair_unsigned(&request->out, "enabled", CONFIG_HEALTH);
    return SMP_OK;
}

static void slot_state(smp_request *request, uint32_t slot)
{
    const ts_slots_record *const record = &serving_slots.record;
    ts_image_claim claim;
    cbor_begin_map(&request->out);
    cbor_pair_unsigned(&request->out, "phase", record->phase[slot]);
    cbor_pair_unsigned(&request->out, "reason", record->reason[slot]);
    cbor_pair_unsigned(&request->out, "detail", record->detail[slot]);
    cbor_pair_unsigned(&request->out, "address", serving_slots.layout->slot[slot]);
    if (ts_image_read_claim(&claim, (const uint8_t *)serving_slots.port->at(serving_slots.layout->slot[slot]),
                            serving_slots.layout->slot_bytes)) {
        cbor_pair_bytes(&request->out, "hash", claim.hash, TS_SHA256_BYTES);
        cbor_text(&request->out, "version");
        cbor_begin_list(&request->out);
        cbor_unsigned(&request->out, claim.major);
        cbor_unsigned(&request->out, claim.minor);
        cbor_unsigned(&request->out, claim.revision);
        cbor_unsigned(&request->out, claim.build);
        cbor_end(&request->out);
    }
    cbor_end(&request->out);
}

static int slots(smp_request *request)
{
    const ts_slots_record *const record = &serving_slots.record;
    cbor_pair_unsigned(&request->out, "active", record->active);
    cbor_pair_unsigned(&request->out, "boots", record->boots);
    cbor_pair_unsigned(&request->out, "counter", record->counter);
    cbor_pair_bytes(&request->out, "key", record->key, TS_ED25519_KEY_BYTES);
    cbor_pair_unsigned(&request->out, "abi", TS_MODEL_ABI);
    cbor_pair_unsigned(&request->out, "core", CONFIG_CORE_ID);
    cbor_pair_unsigned(&request->out, "memory", CONFIG_MODEL_MEMORY_BYTES);
    cbor_pair_unsigned(&request->out, "slot_bytes", serving_slots.layout->slot_bytes);
    cbor_text(&request->out, "slots");
    cbor_begin_list(&request->out);
    for (uint32_t slot = 0; slot < TS_SLOT_COUNT; ++slot) {
        slot_state(request, slot);
    }
    cbor_end(&request->out);
    return SMP_OK;
}

static int revert(smp_request *request)
{
    if (!request->is_write) {
        return SMP_NOT_SUPPORTED;
    }
    const ts_slots_answer answer = ts_slots_revert(&serving_slots, TS_REASON_BY_HOST, 0);
    if (answer != TS_SLOTS_DONE) {
        return fail(request, answer == TS_SLOTS_FLASH ? E_FLASH : E_ORDER);
    }
    smp_model_changed();
    return SMP_OK;
}

int smp_model(smp_request *request)
{
    switch (request->command) {
    case MODEL_INFO:
        return info(request);
    case MODEL_LOAD:
        return load(request);
    case MODEL_INFER:
        return infer(request);
    case MODEL_OUTPUT:
        return output(request);
    case MODEL_PROFILE:
        return profile(request);
    case MODEL_HEALTH:
        return health(request);
    case MODEL_SLOTS:
        return slots(request);
    case MODEL_REVERT:
        return revert(request);
    default:
        return smp_line(request);
    }
}
