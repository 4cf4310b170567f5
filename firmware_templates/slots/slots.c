/* SPDX-License-Identifier: Apache-2.0 */
#include "slots.h"

#include <stddef.h>

#define RECORD_MAGIC 0x544f4c53u /* "SLOT" */
#define RECORD_BYTES ((uint32_t)sizeof(ts_slots_record))
#define MAX_PROOFS 2u
#define MAX_UNIT 32u

_Static_assert(sizeof(ts_slots_record) % 4 == 0, "records are programmed by words");

/* CRC-32 (IEEE 802.3), bit by bit: records are short. */
static uint32_t crc32_of(const uint8_t *bytes, uint32_t count)
{
    uint32_t crc = 0xffffffffu;
    for (uint32_t i = 0; i < count; ++i) {
        crc ^= bytes[i];
        for (int bit = 0; bit < 8; ++bit) {
            crc = (crc >> 1) ^ (0xedb88320u & (0u - (crc & 1u)));
        }
    }
    return ~crc;
}

static void copy_bytes(uint8_t *to, const uint8_t *from, uint32_t count)
{
    for (uint32_t i = 0; i < count; ++i) {
        to[i] = from[i];
    }
}

static int same_bytes(const uint8_t *a, const uint8_t *b, uint32_t count)
{
    for (uint32_t i = 0; i < count; ++i) {
        if (a[i] != b[i]) {
            return 0;
        }
    }
    return 1;
}

static int is_erased(const uint8_t *bytes, uint32_t count)
{
    for (uint32_t i = 0; i < count; ++i) {
        if (bytes[i] != 0xff) {
            return 0;
        }
    }
    return 1;
}

/* ---- the journal: records one behind the other in two sectors, of which one is erased when the other is full ---- */

/* Records begin at multiples of the flash's unit, so that no unit is programmed twice. */
static uint32_t stride(const ts_slots *slots)
{
    const uint32_t unit = slots->layout->unit_bytes;
    return (RECORD_BYTES + unit - 1) / unit * unit;
}

static uint32_t place_of(const ts_slots *slots, uint32_t sector, uint32_t index)
{
    return slots->layout->journal[sector] + index * stride(slots);
}

static uint32_t records_per_sector(const ts_slots *slots)
{
    return slots->layout->sector_bytes / stride(slots);
}

static void read_journal(ts_slots *slots)
{
    for (uint32_t sector = 0; sector < 2; ++sector) {
        for (uint32_t index = 0; index < records_per_sector(slots); ++index) {
            ts_slots_record record;
            copy_bytes((uint8_t *)&record, slots->port->at(place_of(slots, sector, index)), RECORD_BYTES);
            if (record.magic == RECORD_MAGIC && record.sequence > slots->record.sequence &&
                record.check == crc32_of((const uint8_t *)&record, RECORD_BYTES - sizeof record.check)) {
                slots->record = record;
                slots->sector = sector;
                slots->next = index + 1;
            }
        }
    }
}

/* Makes the next place one that is erased: over what a cut tore, and into the other sector where this one is full. That
 * sector holds older records alone, so that its erase may be cut. */
static int make_room(ts_slots *slots)
{
    for (; slots->next < records_per_sector(slots); ++slots->next) {
        if (is_erased(slots->port->at(place_of(slots, slots->sector, slots->next)), stride(slots))) {
            return 1;
        }
    }
    const uint32_t other = 1 - slots->sector;
    if (slots->port->erase(slots->layout->journal[other]) != 0) {
        return 0; /* the full sector, which has the last record, stays the current one */
    }
    slots->sector = other;
    slots->next = 0;
    return 1;
}

/* Writes what is known. Until its last word is programmed, the record before it counts. */
static ts_slots_answer write_record(ts_slots *slots)
{
    uint8_t bytes[sizeof(ts_slots_record) + MAX_UNIT];
    ts_slots_record *record = &slots->record;
    if (!make_room(slots)) {
        return TS_SLOTS_FLASH;
    }
    record->magic = RECORD_MAGIC;
    record->sequence += 1;
    record->check = crc32_of((const uint8_t *)record, RECORD_BYTES - sizeof record->check);
    for (uint32_t i = 0; i < stride(slots); ++i) {
        bytes[i] = 0xff;
    }
    copy_bytes(bytes, (const uint8_t *)record, RECORD_BYTES);
    const uint32_t place = place_of(slots, slots->sector, slots->next);
    if (slots->port->program(place, bytes, stride(slots)) != 0 ||
        !same_bytes(slots->port->at(place), bytes, stride(slots))) {
        return TS_SLOTS_FLASH;
    }
    slots->next += 1;
    return TS_SLOTS_DONE;
}

/* As above; where that fails, what the host asked for has not happened. The sequence goes on, since a record that could
 * not be read back may be there after all. */
static ts_slots_answer write_or_take_back(ts_slots *slots, const ts_slots_record *before)
{
    const ts_slots_answer answer = write_record(slots);
    if (answer != TS_SLOTS_DONE) {
        const uint32_t sequence = slots->record.sequence;
        slots->record = *before;
        slots->record.sequence = sequence;
    }
    return answer;
}

/* ---- images ---- */

static int serves(const ts_slots *slots, uint32_t slot)
{
    const uint8_t phase = slots->record.phase[slot];
    return phase == TS_SLOT_TRIAL || phase == TS_SLOT_CONFIRMED;
}

/* In RAM alone: the caller writes the record. */
static void refuse(ts_slots *slots, uint32_t slot, uint32_t reason, uint32_t detail)
{
    const uint32_t other = 1 - slot;
    slots->record.phase[slot] = TS_SLOT_REFUSED;
    slots->record.reason[slot] = (uint8_t)reason;
    slots->record.detail[slot] = detail;
    slots->record.proofs = 0;
    if (slots->record.active == slot) {
        slots->record.active = serves(slots, other) ? (uint8_t)other : TS_NO_SLOT;
    }
}

static ts_image_verdict check(const ts_slots *slots, uint32_t slot, ts_image *image)
{
    const uint32_t address = slots->layout->slot[slot];
    ts_image_rules rules = slots->rules;
    copy_bytes(rules.key, slots->record.key, TS_ED25519_KEY_BYTES);
    rules.counter = slots->record.counter;
    return ts_image_check(image, slots->port->at(address), slots->layout->slot_bytes, address, &rules);
}

int ts_slots_image(const ts_slots *slots, uint32_t slot, ts_image *image)
{
    const uint32_t address = slots->layout->slot[slot];
    ts_image_rules rules = slots->rules;
    rules.counter = 0; /* the model before a confirmed one stays good to fall back on */
    return serves(slots, slot) && ts_image_read(image, slots->port->at(address), slots->layout->slot_bytes, address,
                                                &rules, slots->record.digest[slot]) == TS_IMAGE_SOUND;
}

/* Lets a sound image run its golden vector, and puts it on trial where the bytes are right. */
static ts_slots_answer prove(ts_slots *slots, uint32_t slot, const ts_image *image)
{
    ts_slots_answer answer;
    slots->record.phase[slot] = TS_SLOT_PROVING;
    slots->record.proofs += 1;
    answer = write_record(slots);
    if (answer != TS_SLOTS_DONE) {
        return answer;
    }
    const uint32_t differs = slots->port->prove(image, slot);
    if (differs != TS_PROVED) {
        refuse(slots, slot, TS_REASON_WRONG_BYTES, differs);
        answer = write_record(slots);
        return answer == TS_SLOTS_DONE ? TS_SLOTS_REFUSED : answer;
    }
    slots->record.phase[slot] = TS_SLOT_TRIAL;
    slots->record.boots = TS_TRIAL_BOOTS;
    slots->record.proofs = 0;
    slots->record.active = (uint8_t)slot;
    return write_record(slots);
}

/* Checks what lies in a slot as if it had just come, and proves it. */
static ts_slots_answer check_and_prove(ts_slots *slots, uint32_t slot)
{
    ts_image image;
    const ts_image_verdict verdict = check(slots, slot, &image);
    if (verdict != TS_IMAGE_SOUND) {
        refuse(slots, slot, (uint32_t)verdict, 0);
        const ts_slots_answer answer = write_record(slots);
        return answer == TS_SLOTS_DONE ? TS_SLOTS_REFUSED : answer;
    }
    copy_bytes(slots->record.digest[slot], image.digest, TS_SHA256_BYTES);
    return prove(slots, slot, &image);
}

/* ---- the start ---- */

/* A trial counts its boots down; one that faulted, hung or was not confirmed in time ends. 1 where something changed.
 */
static int count_trial(ts_slots *slots, const ts_slots_cause *cause)
{
    const uint32_t slot = slots->record.active;
    if (slot == TS_NO_SLOT || slots->record.phase[slot] != TS_SLOT_TRIAL) {
        return 0;
    }
    if (cause->reason == TS_REASON_FAULT || cause->reason == TS_REASON_TIME_OUT) {
        refuse(slots, slot, cause->reason, cause->detail);
    } else if (slots->record.boots == 0) {
        refuse(slots, slot, TS_REASON_NOT_CONFIRMED, TS_TRIAL_BOOTS);
    } else {
        slots->record.boots -= 1;
    }
    return 1;
}

/* The active slot's bytes must still be the ones that were verified. 1 where they are not, or nothing serves any more.
 */
static int leave_rotten(ts_slots *slots)
{
    int changed = 0;
    ts_image image;
    while (slots->record.active != TS_NO_SLOT && !ts_slots_image(slots, slots->record.active, &image)) {
        refuse(slots, slots->record.active, TS_IMAGE_WRONG_HASH, 0);
        changed = 1;
    }
    return changed;
}

/* A proof that a reset cut short is taken up once more; what faulted or hung in it, or was cut short twice, is refused.
 */
static ts_slots_answer resume_proof(ts_slots *slots, uint32_t slot, const ts_slots_cause *cause)
{
    if (cause->reason == TS_REASON_FAULT || cause->reason == TS_REASON_TIME_OUT || slots->record.proofs >= MAX_PROOFS) {
        refuse(slots, slot, cause->reason, cause->detail);
        return write_record(slots);
    }
    return check_and_prove(slots, slot);
}

static uint32_t slot_in_phase(const ts_slots *slots, ts_slot_phase phase)
{
    for (uint32_t slot = 0; slot < TS_SLOT_COUNT; ++slot) {
        if (slots->record.phase[slot] == phase) {
            return slot;
        }
    }
    return TS_NO_SLOT;
}

ts_slots_answer ts_slots_start(ts_slots *slots, const ts_slots_cause *cause)
{
    ts_slots_answer answer = TS_SLOTS_DONE;
    static const ts_slots_record k_nothing = {.active = TS_NO_SLOT};
    slots->record = k_nothing;
    slots->record.counter = slots->rules.counter;
    copy_bytes(slots->record.key, slots->rules.key, TS_ED25519_KEY_BYTES);
    slots->sector = 0;
    slots->next = 0;
    slots->target = TS_NO_SLOT;
    read_journal(slots);
    int counted = 0;
    const uint32_t unfinished = slot_in_phase(slots, TS_SLOT_PROVING);
    if (unfinished != TS_NO_SLOT) {
        answer = resume_proof(slots, unfinished, cause);
    } else {
        counted = count_trial(slots, cause);
    }
    if (leave_rotten(slots) || counted) {
        answer = write_record(slots);
    }
    return answer == TS_SLOTS_REFUSED ? TS_SLOTS_DONE : answer;
}

/* ---- the host's calls ---- */

/* Where a new image may go: never over the one that serves, nor over the one that a trial would fall back on. */
static uint32_t free_slot(const ts_slots *slots)
{
    const ts_slots_record *record = &slots->record;
    if (record->active == TS_NO_SLOT) {
        return record->phase[1] == TS_SLOT_RECEIVING ? 1 : 0;
    }
    const uint32_t other = 1u - record->active;
    const int on_trial = record->phase[record->active] == TS_SLOT_TRIAL;
    return on_trial && serves(slots, other) ? TS_NO_SLOT : other;
}

static ts_slots_answer erase_from(const ts_slots *slots, uint32_t slot, uint32_t offset)
{
    const ts_slots_layout *layout = slots->layout;
    for (; offset < layout->slot_bytes; offset += layout->sector_bytes) {
        const uint32_t address = layout->slot[slot] + offset;
        if (is_erased(slots->port->at(address), layout->sector_bytes)) {
            continue;
        }
        if (slots->port->erase(address) != 0 || !is_erased(slots->port->at(address), layout->sector_bytes)) {
            return TS_SLOTS_FLASH;
        }
    }
    return TS_SLOTS_DONE;
}

/* What of an interrupted upload stays: the sectors before the last one with a byte in it, which a cut may have torn. */
static uint32_t kept_bytes(const ts_slots *slots, uint32_t slot)
{
    const ts_slots_layout *layout = slots->layout;
    uint32_t used = layout->slot_bytes;
    while (used > 0 && is_erased(slots->port->at(layout->slot[slot] + used - 1), 1)) {
        --used;
    }
    return used == 0 ? 0 : (used - 1) / layout->sector_bytes * layout->sector_bytes;
}

static ts_slots_answer begin_anew(ts_slots *slots, uint32_t slot, const uint8_t digest[TS_SHA256_BYTES])
{
    ts_slots_answer answer;
    slots->record.phase[slot] = TS_SLOT_RECEIVING;
    slots->record.reason[slot] = TS_REASON_NONE;
    slots->record.detail[slot] = 0;
    slots->record.proofs = 0;
    slots->record.erased = 0;
    copy_bytes(slots->record.digest[slot], digest, TS_SHA256_BYTES);
    answer = write_record(slots); /* before the first sector goes: nobody may fall back on it any more */
    if (answer == TS_SLOTS_DONE) {
        answer = erase_from(slots, slot, 0);
    }
    if (answer != TS_SLOTS_DONE) {
        return answer;
    }
    slots->record.erased = 1;
    return write_record(slots);
}

ts_slots_answer ts_slots_begin(ts_slots *slots, uint32_t bytes, const uint8_t digest[TS_SHA256_BYTES])
{
    const uint32_t slot = free_slot(slots);
    ts_slots_answer answer;
    slots->target = TS_NO_SLOT;
    if (slot == TS_NO_SLOT) {
        return TS_SLOTS_ORDER;
    }
    if (bytes == 0 || bytes > slots->layout->slot_bytes) {
        return TS_SLOTS_SIZE;
    }
    const int again = slots->record.phase[slot] == TS_SLOT_RECEIVING && slots->record.erased &&
                      same_bytes(slots->record.digest[slot], digest, TS_SHA256_BYTES);
    slots->received = again ? kept_bytes(slots, slot) : 0;
    if (slots->received > bytes) {
        slots->received = 0;
    }
    answer = again ? erase_from(slots, slot, slots->received) : begin_anew(slots, slot, digest);
    if (answer != TS_SLOTS_DONE) {
        return answer;
    }
    slots->incoming = bytes;
    slots->target = (uint8_t)slot;
    return TS_SLOTS_DONE;
}

/* The last unit of an image is filled up with ones, which program nothing. */
static ts_slots_answer program_tail(const ts_slots *slots, uint32_t address, const uint8_t *bytes, uint32_t count)
{
    uint8_t unit[MAX_UNIT];
    for (uint32_t i = 0; i < slots->layout->unit_bytes; ++i) {
        unit[i] = i < count ? bytes[i] : 0xff;
    }
    return slots->port->program(address, unit, slots->layout->unit_bytes) == 0 ? TS_SLOTS_DONE : TS_SLOTS_FLASH;
}

ts_slots_answer ts_slots_receive(ts_slots *slots, uint32_t offset, const uint8_t *bytes, uint32_t count)
{
    ts_slots_answer answer = TS_SLOTS_DONE;
    if (slots->target == TS_NO_SLOT) {
        return TS_SLOTS_ORDER;
    }
    if (offset != slots->received) {
        return TS_SLOTS_OFFSET;
    }
    const uint32_t tail = count % slots->layout->unit_bytes;
    const uint32_t left = slots->incoming - slots->received;
    if (count > left || (tail != 0 && count != left)) {
        return TS_SLOTS_SIZE;
    }
    const uint32_t address = slots->layout->slot[slots->target] + offset;
    if (count > tail && slots->port->program(address, bytes, count - tail) != 0) {
        answer = TS_SLOTS_FLASH;
    }
    if (answer == TS_SLOTS_DONE && tail != 0) {
        answer = program_tail(slots, address + count - tail, bytes + count - tail, tail);
    }
    if (answer != TS_SLOTS_DONE || !same_bytes(slots->port->at(address), bytes, count)) {
        slots->target = TS_NO_SLOT; /* what is in flash now has to be looked at: the host begins again */
        return TS_SLOTS_FLASH;
    }
    slots->received += count;
    return TS_SLOTS_DONE;
}

ts_slots_answer ts_slots_clear(ts_slots *slots)
{
    const uint32_t slot = free_slot(slots);
    slots->target = TS_NO_SLOT;
    if (slot == TS_NO_SLOT) {
        return TS_SLOTS_ORDER;
    }
    slots->record.phase[slot] = TS_SLOT_EMPTY;
    slots->record.reason[slot] = TS_REASON_NONE;
    slots->record.detail[slot] = 0;
    slots->record.proofs = 0;
    slots->record.erased = 0;
    const ts_slots_answer answer = write_record(slots); /* first: nobody may fall back on it any more */
    return answer == TS_SLOTS_DONE ? erase_from(slots, slot, 0) : answer;
}

ts_slots_answer ts_slots_take(ts_slots *slots)
{
    uint32_t slot = slots->target;
    if (slot == TS_NO_SLOT && slots->record.erased) {
        slot = slot_in_phase(slots, TS_SLOT_RECEIVING);
    } else if (slots->received != slots->incoming) {
        return TS_SLOTS_ORDER;
    }
    if (slot == TS_NO_SLOT) {
        return TS_SLOTS_ORDER;
    }
    slots->target = TS_NO_SLOT;
    slots->record.proofs = 0;
    return check_and_prove(slots, slot);
}

ts_slots_answer ts_slots_confirm(ts_slots *slots)
{
    const uint32_t slot = slots->record.active;
    ts_image image;
    if (slot == TS_NO_SLOT || !ts_slots_image(slots, slot, &image)) {
        return TS_SLOTS_ORDER;
    }
    if (slots->record.phase[slot] == TS_SLOT_CONFIRMED) {
        return TS_SLOTS_DONE;
    }
    const ts_slots_record before = slots->record;
    slots->record.phase[slot] = TS_SLOT_CONFIRMED;
    slots->record.counter = image.counter;
    if (image.next_key != NULL) {
        copy_bytes(slots->record.key, image.next_key, TS_ED25519_KEY_BYTES);
    }
    return write_or_take_back(slots, &before);
}

ts_slots_answer ts_slots_revert(ts_slots *slots, ts_slot_reason reason, uint32_t detail)
{
    const uint32_t slot = slots->record.active;
    if (slot == TS_NO_SLOT || slots->record.phase[slot] != TS_SLOT_TRIAL) {
        return TS_SLOTS_ORDER;
    }
    const ts_slots_record before = slots->record;
    refuse(slots, slot, reason, detail);
    return write_or_take_back(slots, &before);
}
