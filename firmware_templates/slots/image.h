/* SPDX-License-Identifier: Apache-2.0 */
/* A model image in flash: MCUboot's format (header, body, protected and plain TLVs), signed with Ed25519 over the
 * SHA-256 of header, body and protected TLVs, as imgtool makes it. The body is the compiled model, linked for the slot
 * that it lies in. Whatever a header or a TLV says is checked against the slot's bytes before it is used. */
#ifndef TS_IMAGE_H
#define TS_IMAGE_H

#include <stdint.h>

#include "ed25519.h"
#include "sha2.h"

/* Why an image is refused. The numbers are part of the protocol: they are stored in flash and sent to hosts. */
typedef enum {
    TS_IMAGE_SOUND = 0,
    TS_IMAGE_NO_HEADER = 1,     /* the slot does not begin with MCUboot's magic */
    TS_IMAGE_TOO_LARGE = 2,     /* a size in header or TLVs reaches out of the slot */
    TS_IMAGE_BAD_TLVS = 3,      /* TLVs that are torn, doubled, missing or of a wrong length */
    TS_IMAGE_WRONG_HASH = 4,    /* other bytes than the ones that were hashed */
    TS_IMAGE_UNKNOWN_KEY = 5,   /* signed with a key that the device does not hold */
    TS_IMAGE_BAD_SIGNATURE = 6, /* not made by the key's owner */
    TS_IMAGE_WRONG_ABI = 7,     /* made for another firmware's interface */
    TS_IMAGE_WRONG_CORE = 8,    /* made for another core */
    TS_IMAGE_WRONG_SLOT = 9,    /* linked for another address */
    TS_IMAGE_ARENA = 10,        /* needs more RAM than the firmware keeps for a model's arena */
    TS_IMAGE_DOWNGRADE = 11     /* its security counter is below the device's */
} ts_image_verdict;

/* TLVs of our own, in the range that MCUboot leaves to vendors. All are protected. */
#define TS_TLV_MODEL 0x54a0u    /* SHA-256 of model.tflite, 32 bytes */
#define TS_TLV_ABI 0x54a1u      /* version of the entry table, u32 */
#define TS_TLV_CORE 0x54a2u     /* CRC-32 of the core's name, u32 */
#define TS_TLV_SLOT 0x54a3u     /* address that the body is linked for, u32 */
#define TS_TLV_ARENA 0x54a4u    /* bytes of RAM, u32 */
#define TS_TLV_GOLDEN 0x54a5u   /* golden vector in the body: offset, input bytes, output bytes, u32 each */
#define TS_TLV_NEXT_KEY 0x54a6u /* optional: the public key that images after this one are signed with, 32 bytes */

/* What a device takes. */
typedef struct {
    uint8_t key[TS_ED25519_KEY_BYTES];
    uint32_t abi;
    uint32_t core;
    uint32_t arena_bytes;
    uint32_t counter; /* the lowest security counter */
} ts_image_rules;

/* An image that is sound. Pointers lead into the slot. */
typedef struct {
    const uint8_t *body;
    uint32_t body_bytes;
    const uint8_t *model; /* 32 bytes */
    const uint8_t *golden_input;
    uint32_t golden_input_bytes;
    const uint8_t *golden_output;
    uint32_t golden_output_bytes;
    const uint8_t *next_key; /* or NULL */
    uint32_t arena_bytes;
    uint32_t counter;
    uint8_t digest[TS_SHA256_BYTES]; /* of header, body and protected TLVs */
} ts_image;

/* What an image says of itself, before anybody has checked it: for lists. */
typedef struct {
    const uint8_t *hash; /* 32 bytes */
    uint32_t major, minor, revision, build;
} ts_image_claim;

/* 1 where header and TLVs can be read. */
int ts_image_read_claim(ts_image_claim *claim, const uint8_t *slot, uint32_t slot_bytes);

/* Checks the image at `slot`, which the processor sees at `address`, from its signature on. */
ts_image_verdict ts_image_check(ts_image *image, const uint8_t *slot, uint32_t slot_bytes, uint32_t address,
                                const ts_image_rules *rules);

/* Reads an image whose signature was verified before: its bytes must still have the digest that was kept. */
ts_image_verdict ts_image_read(ts_image *image, const uint8_t *slot, uint32_t slot_bytes, uint32_t address,
                               const ts_image_rules *rules, const uint8_t digest[TS_SHA256_BYTES]);

#endif
