/* SPDX-License-Identifier: Apache-2.0 */
/* As much of CBOR (RFC 8949) as SMP needs: a map with text for keys is read by looking a key up, and written item by
 * item. What is read is a stranger's: every length is held against what is left. */
#ifndef TS_CBOR_H
#define TS_CBOR_H

#include <stdint.h>

typedef enum { CBOR_NONE, CBOR_UNSIGNED, CBOR_BYTES, CBOR_TEXT, CBOR_BOOL, CBOR_OTHER } cbor_kind;

typedef struct {
    cbor_kind kind;  /* CBOR_NONE: no such key, or no map */
    uint32_t number; /* of CBOR_UNSIGNED and CBOR_BOOL; UINT32_MAX for all that is larger */
    const uint8_t *bytes;
    uint32_t count; /* of CBOR_BYTES and CBOR_TEXT */
} cbor_value;

/* The value of a key in the map that `map` begins with. */
cbor_value cbor_find(const uint8_t *map, uint32_t map_bytes, const char *key);

typedef struct {
    uint8_t *to;
    uint32_t capacity;
    uint32_t count; /* written; beyond the capacity where it was too small */
} cbor_out;

void cbor_begin_map(cbor_out *out); /* of any length */
void cbor_begin_list(cbor_out *out);
void cbor_end(cbor_out *out);
void cbor_text(cbor_out *out, const char *text);
void cbor_text_of(cbor_out *out, const uint8_t *text, uint32_t count);
void cbor_unsigned(cbor_out *out, uint32_t number);
void cbor_bool(cbor_out *out, int is_true);
void cbor_bytes(cbor_out *out, const uint8_t *bytes, uint32_t count);

/* A key and its value. */
void cbor_pair_text(cbor_out *out, const char *key, const char *text);
void cbor_pair_unsigned(cbor_out *out, const char *key, uint32_t number);
void cbor_pair_bool(cbor_out *out, const char *key, int is_true);
void cbor_pair_bytes(cbor_out *out, const char *key, const uint8_t *bytes, uint32_t count);

#endif
