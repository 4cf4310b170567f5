/* SPDX-License-Identifier: Apache-2.0 */
/* A flash that loses power: an erase or a program is cut before it begins, in the middle (some bits done, some not), or
 * right after it. From then on nothing works until the twin is started again. Programming clears bits alone. */
#include <setjmp.h>
#include <string.h>

#include "slots.h"

#define SECTOR 1024u
#define SLOT_SECTORS 6u
#define BASE 0x10000u
#define SECTORS (2u + 2u * SLOT_SECTORS)

static uint8_t flash[SECTORS * SECTOR];
static uint32_t operations;   /* erases and programs since the start */
static uint32_t cut_at;       /* the operation that is cut, from 1; 0: none */
static uint32_t cut_how;      /* 0 before, 1 inside, 2 after */
static uint32_t noise;        /* of the torn bits */
static uint32_t violations;   /* units that were programmed without an erase before */
static uint32_t proof_result; /* what the model on the bench gives */
static uint32_t proof_resets; /* proofs that end in a reset instead */
static uint32_t proofs_run;
static uint32_t unit = 8;
static int erases_fail, programs_fail;
static jmp_buf power;

static ts_slots_layout layout;
static ts_slots slots;

static uint32_t random_bits(void)
{
    noise ^= noise << 13;
    noise ^= noise >> 17;
    noise ^= noise << 5;
    return noise;
}

static const uint8_t *at(uint32_t address)
{
    return flash + (address - BASE);
}

/* Counts an operation; leaves for good where it is the one that is cut. */
static void finish(uint32_t how)
{
    if (operations == cut_at && cut_how == how) {
        longjmp(power, 1);
    }
}

static int erase(uint32_t address)
{
    if (erases_fail) {
        return 1;
    }
    uint8_t *sector = flash + (address - BASE);
    ++operations;
    finish(0);
    for (uint32_t i = 0; i < SECTOR; ++i) {
        sector[i] = operations == cut_at && cut_how == 1 ? (uint8_t)(sector[i] | random_bits()) : 0xff;
    }
    finish(1);
    finish(2);
    return 0;
}

static int program(uint32_t address, const uint8_t *bytes, uint32_t count)
{
    if (programs_fail) {
        return 1;
    }
    uint8_t *to = flash + (address - BASE);
    if (address % unit || count % unit) {
        ++violations;
    }
    for (uint32_t done = 0; done < count; done += unit) {
        ++operations; /* each unit may be the last */
        finish(0);
        for (uint32_t i = done; i < done + unit && i < count; ++i) {
            if (to[i] != 0xff) {
                ++violations;
            }
            to[i] &= operations == cut_at && cut_how == 1 ? (uint8_t)(bytes[i] | random_bits()) : bytes[i];
        }
        finish(1);
        finish(2);
    }
    return 0;
}

static uint32_t prove(const ts_image *image, uint32_t slot)
{
    (void)image;
    (void)slot;
    ++proofs_run;
    if (proof_resets > 0) {
        --proof_resets;
        longjmp(power, 2);
    }
    return proof_result;
}

static const ts_slots_port k_port = {erase, program, at, prove};

void twin_new(const uint8_t *key, uint32_t core, uint32_t unit_bytes)
{
    unit = unit_bytes;
    memset(flash, 0xff, sizeof flash);
    memset(&slots, 0, sizeof slots);
    layout = (ts_slots_layout){{BASE + 2 * SECTOR, BASE + (2 + SLOT_SECTORS) * SECTOR},
                               SLOT_SECTORS * SECTOR,
                               {BASE, BASE + SECTOR},
                               SECTOR,
                               unit};
    slots.layout = &layout;
    slots.port = &k_port;
    slots.rules = (ts_image_rules){.abi = 1, .core = core, .arena_bytes = 4096, .counter = 1};
    memcpy(slots.rules.key, key, 32);
    proof_result = TS_PROVED;
    proof_resets = 0;
    cut_at = violations = operations = proofs_run = 0;
    erases_fail = programs_fail = 0;
}

void twin_save(uint8_t *to)
{
    memcpy(to, flash, sizeof flash);
}
void twin_restore(const uint8_t *from)
{
    memcpy(flash, from, sizeof flash);
}
void twin_cut(uint32_t operation, uint32_t how, uint32_t seed)
{
    operations = 0;
    cut_at = operation;
    cut_how = how;
    noise = seed * 2654435761u + 1;
}
void twin_model(uint32_t result, uint32_t resets)
{
    proof_result = result;
    proof_resets = resets;
}

/* Each answers 100 where the power went, 200 where a proof reset the device. */
int twin_start(uint32_t reason, uint32_t detail)
{
    const ts_slots_cause cause = {(ts_slot_reason)reason, detail};
    const int gone = setjmp(power);
    return gone ? 100 * gone : (int)ts_slots_start(&slots, &cause);
}
int twin_begin(uint32_t bytes, const uint8_t *digest)
{
    const int gone = setjmp(power);
    return gone ? 100 * gone : (int)ts_slots_begin(&slots, bytes, digest);
}
int twin_receive(uint32_t offset, const uint8_t *bytes, uint32_t count)
{
    const int gone = setjmp(power);
    return gone ? 100 * gone : (int)ts_slots_receive(&slots, offset, bytes, count);
}
int twin_take(void)
{
    const int gone = setjmp(power);
    return gone ? 100 * gone : (int)ts_slots_take(&slots);
}
int twin_confirm(void)
{
    const int gone = setjmp(power);
    return gone ? 100 * gone : (int)ts_slots_confirm(&slots);
}
int twin_revert(uint32_t reason, uint32_t detail)
{
    const int gone = setjmp(power);
    return gone ? 100 * gone : (int)ts_slots_revert(&slots, (ts_slot_reason)reason, detail);
}

void twin_fail(int erases, int programs)
{
    erases_fail = erases;
    programs_fail = programs;
}

uint32_t twin_active(void)
{
    return slots.record.active;
}
uint32_t twin_phase(uint32_t slot)
{
    return slots.record.phase[slot];
}
uint32_t twin_reason(uint32_t slot)
{
    return slots.record.reason[slot];
}
uint32_t twin_detail(uint32_t slot)
{
    return slots.record.detail[slot];
}
uint32_t twin_counter(void)
{
    return slots.record.counter;
}
uint32_t twin_received(void)
{
    return slots.received;
}
uint32_t twin_operations(void)
{
    return operations;
}
uint32_t twin_violations(void)
{
    return violations;
}
uint32_t twin_proofs(void)
{
    return proofs_run;
}
uint32_t twin_slot_address(uint32_t slot)
{
    return layout.slot[slot];
}
uint32_t twin_slot_bytes(void)
{
    return layout.slot_bytes;
}
uint32_t twin_flash_bytes(void)
{
    return sizeof flash;
}
void twin_read(uint32_t address, uint8_t *to, uint32_t count)
{
    memcpy(to, at(address), count);
}
void twin_flip(uint32_t address, uint8_t bits)
{
    flash[address - BASE] ^= bits;
}
int twin_image_ok(uint32_t slot)
{
    ts_image image;
    return ts_slots_image(&slots, slot, &image);
}
