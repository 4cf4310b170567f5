/* SPDX-License-Identifier: Apache-2.0 */
/* Ed25519 (RFC 8032): checks signatures, makes none. Small before fast; it takes no secrets, so time may depend on the
 * data. */
#ifndef TS_ED25519_H
#define TS_ED25519_H

#include <stdint.h>

#define TS_ED25519_KEY_BYTES 32u
#define TS_ED25519_SIGNATURE_BYTES 64u

/* 1 where `signature` is `key`'s over the message, else 0. Stricter than RFC 8032 asks: a key that is no canonical
 * encoding or has a small order signs nothing, and S must be below the group's order. */
int ts_ed25519_verify(const uint8_t signature[TS_ED25519_SIGNATURE_BYTES], const uint8_t key[TS_ED25519_KEY_BYTES],
                      const uint8_t *message, uint32_t count);

#endif
