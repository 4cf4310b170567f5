/* SPDX-License-Identifier: Apache-2.0 */
/* Two slots for model images and a journal of what is known about them, in flash. A power cut at any moment, in the
 * middle of an erase or a write too, leaves the device with the model it had.
 *
 * A slot's way: empty -> receiving -> (hash, signature, fit are checked) -> proving (its golden vector runs) ->
 * trial (it serves, for some boots) -> confirmed by the host. Everything else ends in `refused` with a reason that
 * stays readable. */
#ifndef TS_SLOTS_H
#define TS_SLOTS_H

#include <stdint.h>

#include "image.h"

#define TS_SLOT_COUNT 2u
#define TS_NO_SLOT 0xffu
#define TS_TRIAL_BOOTS 3u /* boots without a confirmation before a trial ends */

typedef enum {
    TS_SLOT_EMPTY = 0,
    TS_SLOT_RECEIVING = 1,
    TS_SLOT_PROVING = 3,
    TS_SLOT_TRIAL = 4,
    TS_SLOT_CONFIRMED = 5,
    TS_SLOT_REFUSED = 6
} ts_slot_phase;

/* Why a slot was refused: a ts_image_verdict, or one of these. Stored in flash and sent to hosts. */
typedef enum {
    TS_REASON_NONE = 0,
    TS_REASON_WRONG_BYTES = 32,   /* detail: the first output byte that differs from the golden vector */
    TS_REASON_FAULT = 33,         /* the model faulted while it proved itself; detail: the program counter */
    TS_REASON_TIME_OUT = 34,      /* the watchdog ended the proof */
    TS_REASON_RESET = 35,         /* the device was reset in the middle of two proofs in a row */
    TS_REASON_NOT_CONFIRMED = 36, /* detail: boots without a confirmation */
    TS_REASON_BY_HOST = 37        /* the host went back to the model before */
} ts_slot_reason;

/* What calls answer. */
typedef enum {
    TS_SLOTS_DONE = 0,
    TS_SLOTS_FLASH = 1,  /* the flash did not do what it was told */
    TS_SLOTS_ORDER = 2,  /* not now: nothing is being received, nothing is on trial */
    TS_SLOTS_OFFSET = 3, /* bytes for another offset than the next one */
    TS_SLOTS_SIZE = 4,   /* more bytes than a slot holds, or than were announced */
    TS_SLOTS_REFUSED = 5 /* the image was refused: see its reason */
} ts_slots_answer;

/* The flash as it is laid out. All addresses are the first ones of sectors. */
typedef struct {
    uint32_t slot[TS_SLOT_COUNT];
    uint32_t slot_bytes;
    uint32_t journal[2];   /* one sector each */
    uint32_t sector_bytes; /* what one erase takes */
    uint32_t unit_bytes;   /* what is programmed at once: a power of two, at most 32 */
} ts_slots_layout;

/* One record of the journal: all that is known. The last one whose check holds counts. */
typedef struct {
    uint32_t magic;
    uint32_t sequence;
    uint8_t active; /* the slot that serves, or TS_NO_SLOT */
    uint8_t boots;  /* left to the trial */
    uint8_t proofs; /* begun and not ended */
    uint8_t erased; /* the slot that receives was erased to its end */
    uint8_t phase[TS_SLOT_COUNT];
    uint8_t reason[TS_SLOT_COUNT];
    uint32_t detail[TS_SLOT_COUNT];
    uint32_t counter;                               /* the lowest security counter that is taken */
    uint8_t key[TS_ED25519_KEY_BYTES];              /* the key that images are signed with */
    uint8_t digest[TS_SLOT_COUNT][TS_SHA256_BYTES]; /* announced by the host, later: checked */
    uint32_t check;                                 /* CRC-32 of all before it */
} ts_slots_record;

/* What the firmware provides. */
typedef struct {
    /* 0 on success. Programs whole units that are erased; erases a sector to 0xff. */
    int (*erase)(uint32_t address);
    int (*program)(uint32_t address, const uint8_t *bytes, uint32_t count);
    const uint8_t *(*at)(uint32_t address);
    /* Runs the image's model on its golden input, under watchdog and fault handler: the offset of the first output
     * byte that differs, or TS_PROVED. May not return: the device is reset, and ts_slots_start is told why. */
    uint32_t (*prove)(const ts_image *image, uint32_t slot);
} ts_slots_port;

#define TS_PROVED 0xffffffffu

typedef struct {
    const ts_slots_layout *layout;
    const ts_slots_port *port;
    ts_image_rules rules; /* the key is the one that the firmware was built with, until the journal has one */
    ts_slots_record record;
    uint32_t sector;   /* of the journal, that has the last record */
    uint32_t next;     /* index of the next record in it */
    uint32_t incoming; /* bytes announced */
    uint32_t received; /* bytes programmed */
    uint8_t target;    /* the slot that receives, or TS_NO_SLOT */
} ts_slots;

/* Why the device started, as far as its reset register or fault handler knows. */
typedef struct {
    ts_slot_reason reason; /* TS_REASON_FAULT, TS_REASON_TIME_OUT, or TS_REASON_RESET for all else */
    uint32_t detail;
} ts_slots_cause;

/* Reads the journal, ends what a reset interrupted, and chooses the slot that serves (record.active). */
ts_slots_answer ts_slots_start(ts_slots *slots, const ts_slots_cause *cause);

/* Announces an image by size and digest, and erases a slot that does not serve. An upload of the same digest that was
 * interrupted goes on: the next byte is wanted at slots->received. */
ts_slots_answer ts_slots_begin(ts_slots *slots, uint32_t bytes, const uint8_t digest[TS_SHA256_BYTES]);

/* The next bytes. All calls but the last bring a multiple of the flash's unit. */
ts_slots_answer ts_slots_receive(ts_slots *slots, uint32_t offset, const uint8_t *bytes, uint32_t count);

/* Gives up what lies in the slot that does not serve, and erases it. */
ts_slots_answer ts_slots_clear(ts_slots *slots);

/* After the last byte, or after a reset that came between it and this: checks the image, lets it prove itself, and
 * makes it active on trial. */
ts_slots_answer ts_slots_take(ts_slots *slots);

/* The host is satisfied with the model on trial: it stays, older ones are not taken any more. */
ts_slots_answer ts_slots_confirm(ts_slots *slots);

/* Ends a trial by hand, and goes back to the model before. */
ts_slots_answer ts_slots_revert(ts_slots *slots, ts_slot_reason reason, uint32_t detail);

/* The image of a slot, checked anew against the digest that was stored when its signature was verified. */
int ts_slots_image(const ts_slots *slots, uint32_t slot, ts_image *image);

#endif
