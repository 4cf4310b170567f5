/* SPDX-License-Identifier: Apache-2.0 */
/* Group image: upload into the slot that is free, list, test (verify and prove), confirm, erase. */
#include <stddef.h>

#include "serving.h"
#include "slots_port.h"
#include "smp.h"

enum { IMAGE_STATE = 0, IMAGE_UPLOAD = 1, IMAGE_ERASE = 5 };

/* The group's own errors, as MCUmgr numbers them. */
enum {
    E_UNKNOWN = 1,
    E_NO_IMAGE = 3,
    E_INVALID_TLV = 5,
    E_HASH_NOT_FOUND = 8,
    E_NO_FREE_SLOT = 9,
    E_FLASH_WRITE = 12,
    E_NO_MEMORY = 15,
    E_OFFSET = 20,
    E_LENGTH = 21,
    E_HEADER = 22,
    E_MAGIC = 23,
    E_HASH = 24,
    E_NEWER = 27,
    E_TOO_LARGE = 30
};

static int fail(smp_request *request, uint32_t code)
{
    smp_fail(request, code, code == E_LENGTH || code == E_OFFSET ? SMP_INVALID : SMP_BAD_STATE);
    return SMP_OK;
}

/* Why a slot was refused, as far as the group has a word for it; group 64 has the reason itself. */
static uint32_t refusal(void)
{
    for (uint32_t slot = 0; slot < TS_SLOT_COUNT; ++slot) {
        if (serving_slots.record.phase[slot] != TS_SLOT_REFUSED || slot == serving_slots.record.active) {
            continue;
        }
        switch (serving_slots.record.reason[slot]) {
        case TS_IMAGE_NO_HEADER:
            return E_MAGIC;
        case TS_IMAGE_TOO_LARGE:
            return E_TOO_LARGE;
        case TS_IMAGE_BAD_TLVS:
            return E_INVALID_TLV;
        case TS_IMAGE_WRONG_HASH:
        case TS_IMAGE_UNKNOWN_KEY:
        case TS_IMAGE_BAD_SIGNATURE:
            return E_HASH;
        case TS_IMAGE_WRONG_ABI:
        case TS_IMAGE_WRONG_CORE:
        case TS_IMAGE_WRONG_SLOT:
            return E_HEADER;
        case TS_IMAGE_ARENA:
            return E_NO_MEMORY;
        case TS_IMAGE_DOWNGRADE:
            return E_NEWER;
        default:
            return E_UNKNOWN;
        }
    }
    return E_UNKNOWN;
}

static int fail_for(smp_request *request, ts_slots_answer answer)
{
    switch (answer) {
    case TS_SLOTS_FLASH:
        return fail(request, E_FLASH_WRITE);
    case TS_SLOTS_ORDER:
        return fail(request, E_NO_FREE_SLOT);
    case TS_SLOTS_OFFSET:
        return fail(request, E_OFFSET);
    case TS_SLOTS_SIZE:
        return fail(request, E_LENGTH);
    default:
        return fail(request, refusal());
    }
}

/* ---- upload ---- */

/* The digest of an upload whose host gives none. */
static const uint8_t k_unknown[TS_SHA256_BYTES];

static int same(const uint8_t *a, const uint8_t *b, uint32_t count)
{
    for (uint32_t i = 0; i < count; ++i) {
        if (a[i] != b[i]) {
            return 0;
        }
    }
    return 1;
}

/* The request that begins an upload has come twice, or the host starts over: what is there already stays. */
static int goes_on(uint32_t length, const cbor_value *sha)
{
    const uint32_t target = serving_slots.target;
    return target != TS_NO_SLOT && serving_slots.incoming == length && sha->kind == CBOR_BYTES &&
           same(serving_slots.record.digest[target], sha->bytes, TS_SHA256_BYTES);
}

static ts_slots_answer begin(uint32_t length, const cbor_value *sha)
{
    if (sha->kind == CBOR_BYTES) {
        return ts_slots_begin(&serving_slots, length, sha->bytes);
    }
    /* Nobody can tell whether what lies there belongs to this image. */
    const ts_slots_answer answer = ts_slots_clear(&serving_slots);
    return answer == TS_SLOTS_DONE ? ts_slots_begin(&serving_slots, length, k_unknown) : answer;
}

/* After the last byte: whether flash holds what the host has hashed. */
static void answer_match(smp_request *request)
{
    const uint32_t target = serving_slots.target;
    uint8_t digest[TS_SHA256_BYTES];
    ts_sha256 state;
    if (target == TS_NO_SLOT || serving_slots.received != serving_slots.incoming ||
        same(serving_slots.record.digest[target], k_unknown, TS_SHA256_BYTES)) {
        return;
    }
    ts_sha256_start(&state);
    ts_sha256_add(&state, port_flash_at(serving_slots.layout->slot[target]), serving_slots.incoming);
    ts_sha256_finish(&state, digest);
    cbor_pair_bool(&request->out, "match", same(digest, serving_slots.record.digest[target], TS_SHA256_BYTES));
}

static ts_slots_answer receive(uint32_t offset, const cbor_value *data)
{
    const uint32_t left = serving_slots.incoming - serving_slots.received;
    uint32_t count = data->count;
    if (count < left) {
        count -= count % serving_slots.layout->unit_bytes; /* the host sends the rest again */
    }
    return count == 0u ? TS_SLOTS_DONE : ts_slots_receive(&serving_slots, offset, data->bytes, count);
}

static int upload(smp_request *request)
{
    const uint32_t offset = smp_number(request, "off", UINT32_MAX);
    const cbor_value data = smp_argument(request, "data");
    const cbor_value sha = smp_argument(request, "sha");
    const uint32_t length = smp_number(request, "len", UINT32_MAX);
    ts_slots_answer answer = TS_SLOTS_DONE;
    if (!request->is_write || offset == UINT32_MAX || data.kind != CBOR_BYTES ||
        (sha.kind != CBOR_NONE && (sha.kind != CBOR_BYTES || sha.count != TS_SHA256_BYTES))) {
        return SMP_INVALID;
    }
    if (offset == 0u && !goes_on(length, &sha)) {
        if (length == UINT32_MAX || smp_number(request, "image", 0) > 1u) {
            return SMP_INVALID;
        }
        answer = begin(length, &sha);
    }
    if (answer != TS_SLOTS_DONE) {
        return fail_for(request, answer);
    }
    if (serving_slots.target == TS_NO_SLOT) {
        return fail(request, E_OFFSET); /* nothing was begun, or a reset has forgotten it */
    }
    if (offset == serving_slots.received) {
        answer = receive(offset, &data);
    }
    if (answer != TS_SLOTS_DONE) {
        return fail_for(request, answer);
    }
    cbor_pair_unsigned(&request->out, "off", serving_slots.received);
    answer_match(request);
    return SMP_OK;
}

/* ---- state ---- */

static const uint8_t *slot_at(uint32_t slot)
{
    return port_flash_at(serving_slots.layout->slot[slot]);
}

static uint32_t put_number(char *to, uint32_t number)
{
    char digits[10];
    uint32_t count = 0;
    do {
        digits[count++] = (char)('0' + number % 10u);
        number /= 10u;
    } while (number > 0u);
    for (uint32_t i = 0; i < count; ++i) {
        to[i] = digits[count - 1u - i];
    }
    return count;
}

static void answer_version(smp_request *request, const ts_image_claim *claim)
{
    char text[32];
    uint32_t count = put_number(text, claim->major);
    text[count++] = '.';
    count += put_number(text + count, claim->minor);
    text[count++] = '.';
    count += put_number(text + count, claim->revision);
    text[count++] = '.';
    count += put_number(text + count, claim->build);
    cbor_text(&request->out, "version");
    cbor_text_of(&request->out, (const uint8_t *)text, count);
}

static int claim_of(uint32_t slot, ts_image_claim *claim)
{
    return serving_slots.record.phase[slot] != TS_SLOT_EMPTY &&
           ts_image_read_claim(claim, slot_at(slot), serving_slots.layout->slot_bytes);
}

static int list(smp_request *request)
{
    cbor_out *const out = &request->out;
    cbor_text(out, "images");
    cbor_begin_list(out);
    for (uint32_t slot = 0; slot < TS_SLOT_COUNT; ++slot) {
        ts_image_claim claim;
        if (!claim_of(slot, &claim)) {
            continue;
        }
        const uint32_t phase = serving_slots.record.phase[slot];
        cbor_begin_map(out);
        cbor_pair_unsigned(out, "image", 0);
        cbor_pair_unsigned(out, "slot", slot);
        answer_version(request, &claim);
        cbor_pair_bytes(out, "hash", claim.hash, TS_SHA256_BYTES);
        cbor_pair_bool(out, "bootable", phase == TS_SLOT_TRIAL || phase == TS_SLOT_CONFIRMED);
        cbor_pair_bool(out, "pending", 0);
        cbor_pair_bool(out, "confirmed", phase == TS_SLOT_CONFIRMED);
        cbor_pair_bool(out, "active", slot == serving_slots.record.active);
        cbor_pair_bool(out, "permanent", 0);
        cbor_end(out);
    }
    cbor_end(out);
    cbor_pair_unsigned(out, "splitStatus", 0);
    return SMP_OK;
}

static uint32_t slot_of_hash(const cbor_value *hash)
{
    for (uint32_t slot = 0; slot < TS_SLOT_COUNT; ++slot) {
        ts_image_claim claim;
        if (hash->count == TS_SHA256_BYTES && claim_of(slot, &claim) &&
            same(claim.hash, hash->bytes, TS_SHA256_BYTES)) {
            return slot;
        }
    }
    return TS_NO_SLOT;
}

static ts_slots_answer test(uint32_t slot)
{
    if (slot == serving_slots.record.active) {
        return TS_SLOTS_DONE;
    }
    if (serving_slots.record.phase[slot] != TS_SLOT_RECEIVING) {
        return TS_SLOTS_REFUSED;
    }
    const ts_slots_answer answer = ts_slots_take(&serving_slots);
    smp_model_changed();
    return answer;
}

static int set_state(smp_request *request)
{
    const cbor_value hash = smp_argument(request, "hash");
    const cbor_value confirm = smp_argument(request, "confirm");
    const int confirms = confirm.kind == CBOR_BOOL && confirm.number == 1u;
    ts_slots_answer answer = TS_SLOTS_DONE;
    if (hash.kind == CBOR_BYTES) {
        const uint32_t slot = slot_of_hash(&hash);
        if (slot == TS_NO_SLOT) {
            return fail(request, E_HASH_NOT_FOUND);
        }
        if (slot != serving_slots.record.active && serving_slots.record.phase[slot] == TS_SLOT_CONFIRMED) {
            return fail(request, E_NEWER);
        }
        answer = test(slot);
    } else if (!confirms) {
        return SMP_INVALID;
    }
    if (answer == TS_SLOTS_DONE && confirms) {
        answer = ts_slots_confirm(&serving_slots);
        if (answer == TS_SLOTS_ORDER) {
            return fail(request, E_NO_IMAGE);
        }
    }
    return answer == TS_SLOTS_DONE ? list(request) : fail_for(request, answer);
}

int smp_image(smp_request *request)
{
    switch (request->command) {
    case IMAGE_STATE:
        return request->is_write ? set_state(request) : list(request);
    case IMAGE_UPLOAD:
        return upload(request);
    case IMAGE_ERASE: {
        const ts_slots_answer answer = request->is_write ? ts_slots_clear(&serving_slots) : TS_SLOTS_ORDER;
        return answer == TS_SLOTS_DONE ? SMP_OK : fail_for(request, answer);
    }
    default:
        return SMP_NOT_SUPPORTED;
    }
}
