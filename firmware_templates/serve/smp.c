/* SPDX-License-Identifier: Apache-2.0 */
#include "smp.h"

#include "config.h"
#include "health.h"
#include "line_rate.h"
#include "secure.h"
#include "slots_port.h"
#include "smp_frame.h"

#define HEADER_BYTES 8u
#define OPERATION 7u
#define VERSION_SHIFT 3u
#define READ 0u
#define WRITE 2u

static uint8_t answer[SMP_PACKET_BYTES];
static int resets;

cbor_value smp_argument(const smp_request *request, const char *key)
{
    return cbor_find(request->body, request->body_bytes, key);
}

uint32_t smp_number(const smp_request *request, const char *key, uint32_t otherwise)
{
    const cbor_value value = smp_argument(request, key);
    return value.kind == CBOR_UNSIGNED ? value.number : otherwise;
}

void smp_reset_afterwards(void)
{
    resets = 1;
}

/* A code of every group, in place of the answer so far. */
static void answer_code(cbor_out *out, uint32_t code)
{
    out->count = 0;
    cbor_begin_map(out);
    cbor_pair_unsigned(out, "rc", code);
}

/* The answer so far is thrown away. */
void smp_fail(smp_request *request, uint32_t code, uint32_t plain)
{
    cbor_out *const out = &request->out;
    if (request->version == 0u) {
        answer_code(out, plain);
        return;
    }
    out->count = 0;
    cbor_begin_map(out);
    cbor_text(out, "err");
    cbor_begin_map(out);
    cbor_pair_unsigned(out, "group", request->group);
    cbor_pair_unsigned(out, "rc", code);
    cbor_end(out);
}

static int run(smp_request *request)
{
    if (!secure_is_open() && !smp_line_is_public(request)) {
        return SMP_ACCESS_DENIED;
    }
    switch (request->group) {
    case SMP_GROUP_OS:
        return smp_os(request);
    case SMP_GROUP_IMAGE:
        return smp_image(request);
    case SMP_GROUP_STATISTICS:
        return smp_statistics(request);
    case SMP_GROUP_MODEL:
        return smp_model(request);
    default:
        return SMP_NOT_SUPPORTED;
    }
}

void smp_packet(const uint8_t *packet, uint32_t bytes)
{
    if (bytes < HEADER_BYTES) {
        return;
    }
    line_rate_proved();
    const uint32_t operation = packet[0] & OPERATION;
    const uint32_t length = (uint32_t)packet[2] << 8 | packet[3];
    if ((operation != READ && operation != WRITE) || length != bytes - HEADER_BYTES) {
        return;
    }
    smp_request request = {
        .is_write = operation == WRITE,
        .version = (packet[0] >> VERSION_SHIFT & 3u) != 0u,
        .group = (uint16_t)(packet[4] << 8 | packet[5]),
        .command = packet[7],
        .body = packet + HEADER_BYTES,
        .body_bytes = length,
        .out = {answer + HEADER_BYTES, sizeof answer - HEADER_BYTES, 0},
    };
    cbor_begin_map(&request.out);
    int code = run(&request);
    if (request.out.count >= request.out.capacity) {
        code = SMP_TOO_LONG;
    }
    if (code != SMP_OK) {
        answer_code(&request.out, (uint32_t)code);
    }
    cbor_end(&request.out);
    for (uint32_t i = 0; i < HEADER_BYTES; ++i) {
        answer[i] = packet[i];
    }
    answer[0] = (uint8_t)((packet[0] & ~OPERATION) | (operation + 1u));
    answer[1] = 0;
    answer[2] = (uint8_t)(request.out.count >> 8);
    answer[3] = (uint8_t)request.out.count;
    smp_frame_send(answer, HEADER_BYTES + request.out.count);
    line_rate_sent();
    if (resets) {
        port_reset();
    }
}

/* ---- group OS ---- */

enum { OS_ECHO = 0, OS_RESET = 5, OS_PARAMETERS = 6, OS_INFO = 7 };

static int echo(smp_request *request)
{
    const cbor_value text = smp_argument(request, "d");
    if (text.kind != CBOR_TEXT) {
        return SMP_INVALID;
    }
    cbor_text(&request->out, "r");
    cbor_text_of(&request->out, text.bytes, text.count);
    return SMP_OK;
}

static const char *info_of(uint8_t letter)
{
    switch (letter) {
    case 's':
        return "tinyserve";
    case 'n':
        return CONFIG_BOARD;
    case 'r':
    case 'v':
        return CONFIG_VERSION;
    case 'm':
    case 'p':
        return CONFIG_CORE;
    case 'i':
        return CONFIG_BOARD;
    case 'o':
        return "bare metal";
    default:
        return "";
    }
}

static int info(smp_request *request)
{
    char text[200];
    uint32_t count = 0;
    const cbor_value format = smp_argument(request, "format");
    const uint8_t *letters = (const uint8_t *)"s";
    uint32_t wanted = 1;
    if (format.kind == CBOR_TEXT && format.count > 0u) {
        letters = format.bytes;
        wanted = format.count;
    }
    if (wanted == 1u && letters[0] == 'a') {
        letters = (const uint8_t *)"snrvmpio";
        wanted = 8;
    }
    for (uint32_t i = 0; i < wanted; ++i) {
        const char *word = info_of(letters[i]);
        if (*word == '\0') {
            return SMP_INVALID;
        }
        if (i > 0u && count < sizeof text) {
            text[count++] = ' ';
        }
        for (; *word != '\0' && count < sizeof text; ++word) {
            text[count++] = *word;
        }
    }
    cbor_text(&request->out, "output");
    cbor_text_of(&request->out, (const uint8_t *)text, count);
    return SMP_OK;
}

int smp_os(smp_request *request)
{
    switch (request->command) {
    case OS_ECHO:
        return echo(request);
    case OS_RESET:
        if (!request->is_write) {
            return SMP_NOT_SUPPORTED;
        }
        smp_reset_afterwards();
        return SMP_OK;
    case OS_PARAMETERS:
        cbor_pair_unsigned(&request->out, "buf_size", SMP_PACKET_BYTES);
        cbor_pair_unsigned(&request->out, "buf_count", 1);
        return SMP_OK;
    case OS_INFO:
        return info(request);
    default:
        return SMP_NOT_SUPPORTED;
    }
}

/* ---- group statistics ---- */

enum { STATISTICS_DATA = 0, STATISTICS_LIST = 1, STATISTICS_NO_GROUP = 2 };

static int statistics(smp_request *request)
{
    static const char wanted[] = "health";
    const cbor_value name = smp_argument(request, "name");
    uint32_t same = name.kind == CBOR_TEXT && name.count == sizeof wanted - 1u;
    for (uint32_t i = 0; same && i < name.count; ++i) {
        same = name.bytes[i] == (uint8_t)wanted[i];
    }
    if (!same) {
        smp_fail(request, STATISTICS_NO_GROUP, SMP_NO_ENTRY);
        return SMP_OK;
    }
    const health_counters *const seen = health_read();
    cbor_pair_text(&request->out, "name", wanted);
    cbor_text(&request->out, "fields");
    cbor_begin_map(&request->out);
    cbor_pair_unsigned(&request->out, "inferences", seen->inferences);
    cbor_pair_unsigned(&request->out, "looked_at", seen->looked_at);
    cbor_pair_unsigned(&request->out, "faults", seen->faults);
    cbor_pair_unsigned(&request->out, "resets", seen->resets);
    cbor_pair_unsigned(&request->out, "ticks_min", seen->inferences > 0u ? seen->ticks_min : 0u);
    cbor_pair_unsigned(&request->out, "ticks_max", seen->ticks_max);
    cbor_pair_unsigned(&request->out, "clipped_low", seen->clipped_low);
    cbor_pair_unsigned(&request->out, "clipped_high", seen->clipped_high);
    cbor_pair_unsigned(&request->out, "unsure", seen->unsure);
    cbor_end(&request->out);
    return SMP_OK;
}

int smp_statistics(smp_request *request)
{
    if (request->is_write) {
        return SMP_NOT_SUPPORTED;
    }
    if (request->command == STATISTICS_DATA) {
        return statistics(request);
    }
    if (request->command != STATISTICS_LIST) {
        return SMP_NOT_SUPPORTED;
    }
    cbor_text(&request->out, "stat_list");
    cbor_begin_list(&request->out);
    cbor_text(&request->out, "health");
    cbor_end(&request->out);
    return SMP_OK;
}
