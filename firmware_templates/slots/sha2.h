/* SPDX-License-Identifier: Apache-2.0 */
/* SHA-256 (of an image) and SHA-512 (inside Ed25519), FIPS 180-4. Both read their bytes in pieces of any size. */
#ifndef TS_SHA2_H
#define TS_SHA2_H

#include <stdint.h>

#define TS_SHA256_BYTES 32u
#define TS_SHA512_BYTES 64u

typedef struct {
    uint32_t state[8];
    uint32_t length; /* bytes so far */
    uint8_t block[64];
} ts_sha256;

typedef struct {
    uint64_t state[8];
    uint32_t length; /* bytes so far */
    uint8_t block[128];
} ts_sha512;

void ts_sha256_start(ts_sha256 *hash);
void ts_sha256_add(ts_sha256 *hash, const uint8_t *bytes, uint32_t count);
void ts_sha256_finish(ts_sha256 *hash, uint8_t digest[TS_SHA256_BYTES]);

void ts_sha512_start(ts_sha512 *hash);
void ts_sha512_add(ts_sha512 *hash, const uint8_t *bytes, uint32_t count);
void ts_sha512_finish(ts_sha512 *hash, uint8_t digest[TS_SHA512_BYTES]);

#endif
