/* SPDX-License-Identifier: Apache-2.0 */
#include "image.h"

#include <stddef.h>

#define HEADER_MAGIC 0x96f3b83du
#define HEADER_BYTES 32u
#define INFO_MAGIC 0x6907u
#define PROTECTED_INFO_MAGIC 0x6908u
#define INFO_BYTES 4u
#define TLV_HEAD_BYTES 4u

/* MCUboot's TLVs that are read here */
#define TLV_KEY_HASH 0x01u
#define TLV_SHA256 0x10u
#define TLV_ED25519 0x24u
#define TLV_COUNTER 0x50u

/* SubjectPublicKeyInfo of an Ed25519 key (RFC 8410) before its 32 bytes: what imgtool hashes to name a key */
static const uint8_t k_key_info[12] = {0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00};

/* Where the parts of an image lie in its slot */
typedef struct {
    const uint8_t *slot;
    uint32_t body; /* offsets */
    uint32_t body_bytes;
    uint32_t protected_tlvs;
    uint32_t protected_bytes; /* with their info */
    uint32_t tlvs;
    uint32_t tlv_bytes;
} parts;

static uint32_t u16_at(const uint8_t *bytes)
{
    return (uint32_t)bytes[0] | (uint32_t)bytes[1] << 8;
}

static uint32_t u32_at(const uint8_t *bytes)
{
    return u16_at(bytes) | u16_at(bytes + 2) << 16;
}

static int same(const uint8_t *a, const uint8_t *b, uint32_t count)
{
    for (uint32_t i = 0; i < count; ++i) {
        if (a[i] != b[i]) {
            return 0;
        }
    }
    return 1;
}

/* Every size is compared with what is left of the slot before it is added: no sum can wrap. */
static ts_image_verdict find_parts(parts *found, const uint8_t *slot, uint32_t slot_bytes)
{
    if (slot_bytes < HEADER_BYTES || u32_at(slot) != HEADER_MAGIC) {
        return TS_IMAGE_NO_HEADER;
    }
    const uint32_t head = u16_at(slot + 8);
    const uint32_t size = u32_at(slot + 12);
    found->slot = slot;
    found->body = head;
    found->body_bytes = size;
    found->protected_bytes = u16_at(slot + 10);
    if (head < HEADER_BYTES || head > slot_bytes || size > slot_bytes - head) {
        return TS_IMAGE_TOO_LARGE;
    }
    found->protected_tlvs = head + size;
    uint32_t left = slot_bytes - found->protected_tlvs;
    if (found->protected_bytes > left || left - found->protected_bytes < INFO_BYTES) {
        return TS_IMAGE_TOO_LARGE;
    }
    left -= found->protected_bytes;
    const uint8_t *info = slot + found->protected_tlvs;
    if (found->protected_bytes < INFO_BYTES || u16_at(info) != PROTECTED_INFO_MAGIC ||
        u16_at(info + 2) != found->protected_bytes) {
        return TS_IMAGE_BAD_TLVS;
    }
    found->tlvs = found->protected_tlvs + found->protected_bytes;
    info = slot + found->tlvs;
    found->tlv_bytes = u16_at(info + 2);
    if (u16_at(info) != INFO_MAGIC || found->tlv_bytes < INFO_BYTES) {
        return TS_IMAGE_BAD_TLVS;
    }
    return found->tlv_bytes > left ? TS_IMAGE_TOO_LARGE : TS_IMAGE_SOUND;
}

/* The value of the one TLV of a type and a length in an area; NULL where there is none, or two, or the area is torn. */
static const uint8_t *tlv(const parts *in, uint32_t area, uint32_t area_bytes, uint32_t type, uint32_t length)
{
    const uint8_t *value = NULL;
    uint32_t at = INFO_BYTES;
    while (at < area_bytes) {
        if (area_bytes - at < TLV_HEAD_BYTES) {
            return NULL;
        }
        const uint8_t *head = in->slot + area + at;
        const uint32_t bytes = u16_at(head + 2);
        at += TLV_HEAD_BYTES;
        if (bytes > area_bytes - at) {
            return NULL;
        }
        if (u16_at(head) == type) {
            if (value != NULL || bytes != length) {
                return NULL;
            }
            value = head + TLV_HEAD_BYTES;
        }
        at += bytes;
    }
    return value;
}

static const uint8_t *protected_tlv(const parts *in, uint32_t type, uint32_t length)
{
    return tlv(in, in->protected_tlvs, in->protected_bytes, type, length);
}

static const uint8_t *plain_tlv(const parts *in, uint32_t type, uint32_t length)
{
    return tlv(in, in->tlvs, in->tlv_bytes, type, length);
}

static void hash_parts(const parts *in, uint8_t digest[TS_SHA256_BYTES])
{
    ts_sha256 state;
    ts_sha256_start(&state);
    ts_sha256_add(&state, in->slot, in->tlvs);
    ts_sha256_finish(&state, digest);
}

static ts_image_verdict check_signature(ts_image *image, const parts *in, const uint8_t *key)
{
    const uint8_t *hash = plain_tlv(in, TLV_SHA256, TS_SHA256_BYTES);
    const uint8_t *key_hash = plain_tlv(in, TLV_KEY_HASH, TS_SHA256_BYTES);
    const uint8_t *signature = plain_tlv(in, TLV_ED25519, TS_ED25519_SIGNATURE_BYTES);
    if (hash == NULL || key_hash == NULL || signature == NULL) {
        return TS_IMAGE_BAD_TLVS;
    }
    hash_parts(in, image->digest);
    if (!same(hash, image->digest, TS_SHA256_BYTES)) {
        return TS_IMAGE_WRONG_HASH;
    }
    uint8_t named[TS_SHA256_BYTES];
    ts_sha256 state;
    ts_sha256_start(&state);
    ts_sha256_add(&state, k_key_info, sizeof k_key_info);
    ts_sha256_add(&state, key, TS_ED25519_KEY_BYTES);
    ts_sha256_finish(&state, named);
    if (!same(key_hash, named, TS_SHA256_BYTES)) {
        return TS_IMAGE_UNKNOWN_KEY;
    }
    const int good = ts_ed25519_verify(signature, key, image->digest, TS_SHA256_BYTES);
    return good ? TS_IMAGE_SOUND : TS_IMAGE_BAD_SIGNATURE;
}

/* The protected TLVs into `image`, and whether the device takes what they say. */
static ts_image_verdict check_fit(ts_image *image, const parts *in, uint32_t address, const ts_image_rules *rules)
{
    const uint8_t *model = protected_tlv(in, TS_TLV_MODEL, TS_SHA256_BYTES);
    const uint8_t *abi = protected_tlv(in, TS_TLV_ABI, 4);
    const uint8_t *core = protected_tlv(in, TS_TLV_CORE, 4);
    const uint8_t *slot = protected_tlv(in, TS_TLV_SLOT, 4);
    const uint8_t *arena = protected_tlv(in, TS_TLV_ARENA, 4);
    const uint8_t *golden = protected_tlv(in, TS_TLV_GOLDEN, 12);
    const uint8_t *counter = protected_tlv(in, TLV_COUNTER, 4);
    if (!model || !abi || !core || !slot || !arena || !golden || !counter) {
        return TS_IMAGE_BAD_TLVS;
    }
    const uint32_t offset = u32_at(golden);
    image->body = in->slot + in->body;
    image->body_bytes = in->body_bytes;
    image->model = model;
    image->arena_bytes = u32_at(arena);
    image->counter = u32_at(counter);
    image->golden_input_bytes = u32_at(golden + 4);
    image->golden_output_bytes = u32_at(golden + 8);
    if (offset > in->body_bytes || image->golden_input_bytes > in->body_bytes - offset ||
        image->golden_output_bytes > in->body_bytes - offset - image->golden_input_bytes ||
        image->golden_input_bytes == 0 || image->golden_output_bytes == 0) {
        return TS_IMAGE_BAD_TLVS;
    }
    image->golden_input = image->body + offset;
    image->golden_output = image->golden_input + image->golden_input_bytes;
    image->next_key = protected_tlv(in, TS_TLV_NEXT_KEY, TS_ED25519_KEY_BYTES);
    if (u32_at(abi) != rules->abi) {
        return TS_IMAGE_WRONG_ABI;
    }
    if (u32_at(core) != rules->core) {
        return TS_IMAGE_WRONG_CORE;
    }
    if (u32_at(slot) != address) {
        return TS_IMAGE_WRONG_SLOT;
    }
    if (image->arena_bytes > rules->arena_bytes) {
        return TS_IMAGE_ARENA;
    }
    return image->counter < rules->counter ? TS_IMAGE_DOWNGRADE : TS_IMAGE_SOUND;
}

ts_image_verdict ts_image_check(ts_image *image, const uint8_t *slot, uint32_t slot_bytes, uint32_t address,
                                const ts_image_rules *rules)
{
    parts in;
    ts_image_verdict verdict = find_parts(&in, slot, slot_bytes);
    /* The signature first: nothing else that the image says is believed before. */
    if (verdict == TS_IMAGE_SOUND) {
        verdict = check_signature(image, &in, rules->key);
    }
    if (verdict == TS_IMAGE_SOUND) {
        verdict = check_fit(image, &in, address, rules);
    }
    return verdict;
}

ts_image_verdict ts_image_read(ts_image *image, const uint8_t *slot, uint32_t slot_bytes, uint32_t address,
                               const ts_image_rules *rules, const uint8_t digest[TS_SHA256_BYTES])
{
    parts in;
    const ts_image_verdict verdict = find_parts(&in, slot, slot_bytes);
    if (verdict != TS_IMAGE_SOUND) {
        return verdict;
    }
    hash_parts(&in, image->digest);
    if (!same(image->digest, digest, TS_SHA256_BYTES)) {
        return TS_IMAGE_WRONG_HASH;
    }
    return check_fit(image, &in, address, rules);
}

int ts_image_read_claim(ts_image_claim *claim, const uint8_t *slot, uint32_t slot_bytes)
{
    parts in;
    if (find_parts(&in, slot, slot_bytes) != TS_IMAGE_SOUND) {
        return 0;
    }
    claim->hash = plain_tlv(&in, TLV_SHA256, TS_SHA256_BYTES);
    claim->major = slot[20];
    claim->minor = slot[21];
    claim->revision = u16_at(slot + 22);
    claim->build = u32_at(slot + 24);
    return claim->hash != NULL;
}
