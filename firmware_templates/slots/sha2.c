/* SPDX-License-Identifier: Apache-2.0 */
#include "sha2.h"

/* FIPS 180-4, 4.2.3: fractions of the cube roots of the first eighty primes. SHA-256's constants (4.2.2) are the upper
 * halves of the first 64 of them, and its initial state (5.3.3) the upper halves of SHA-512's: one table serves both.
 */
/* clang-format off */
static const uint64_t k_round[80] = {
    0x428a2f98d728ae22, 0x7137449123ef65cd, 0xb5c0fbcfec4d3b2f, 0xe9b5dba58189dbbc,
    0x3956c25bf348b538, 0x59f111f1b605d019, 0x923f82a4af194f9b, 0xab1c5ed5da6d8118,
    0xd807aa98a3030242, 0x12835b0145706fbe, 0x243185be4ee4b28c, 0x550c7dc3d5ffb4e2,
    0x72be5d74f27b896f, 0x80deb1fe3b1696b1, 0x9bdc06a725c71235, 0xc19bf174cf692694,
    0xe49b69c19ef14ad2, 0xefbe4786384f25e3, 0x0fc19dc68b8cd5b5, 0x240ca1cc77ac9c65,
    0x2de92c6f592b0275, 0x4a7484aa6ea6e483, 0x5cb0a9dcbd41fbd4, 0x76f988da831153b5,
    0x983e5152ee66dfab, 0xa831c66d2db43210, 0xb00327c898fb213f, 0xbf597fc7beef0ee4,
    0xc6e00bf33da88fc2, 0xd5a79147930aa725, 0x06ca6351e003826f, 0x142929670a0e6e70,
    0x27b70a8546d22ffc, 0x2e1b21385c26c926, 0x4d2c6dfc5ac42aed, 0x53380d139d95b3df,
    0x650a73548baf63de, 0x766a0abb3c77b2a8, 0x81c2c92e47edaee6, 0x92722c851482353b,
    0xa2bfe8a14cf10364, 0xa81a664bbc423001, 0xc24b8b70d0f89791, 0xc76c51a30654be30,
    0xd192e819d6ef5218, 0xd69906245565a910, 0xf40e35855771202a, 0x106aa07032bbd1b8,
    0x19a4c116b8d2d0c8, 0x1e376c085141ab53, 0x2748774cdf8eeb99, 0x34b0bcb5e19b48a8,
    0x391c0cb3c5c95a63, 0x4ed8aa4ae3418acb, 0x5b9cca4f7763e373, 0x682e6ff3d6b2b8a3,
    0x748f82ee5defb2fc, 0x78a5636f43172f60, 0x84c87814a1f0ab72, 0x8cc702081a6439ec,
    0x90befffa23631e28, 0xa4506cebde82bde9, 0xbef9a3f7b2c67915, 0xc67178f2e372532b,
    0xca273eceea26619c, 0xd186b8c721c0c207, 0xeada7dd6cde0eb1e, 0xf57d4f7fee6ed178,
    0x06f067aa72176fba, 0x0a637dc5a2c898a6, 0x113f9804bef90dae, 0x1b710b35131c471b,
    0x28db77f523047d84, 0x32caab7b40c72493, 0x3c9ebe0a15c9bebc, 0x431d67c49c100d4c,
    0x4cc5d4becb3e42b6, 0x597f299cfc657e2a, 0x5fcb6fab3ad6faec, 0x6c44198c4a475817,
};

/* 5.3.5: fractions of the square roots of the first eight primes. */
static const uint64_t k_initial[8] = {
    0x6a09e667f3bcc908, 0xbb67ae8584caa73b, 0x3c6ef372fe94f82b, 0xa54ff53a5f1d36f1,
    0x510e527fade682d1, 0x9b05688c2b3e6c1f, 0x1f83d9abfb41bd6b, 0x5be0cd19137e2179,
};
/* clang-format on */

static uint32_t rotated32(uint32_t word, uint32_t by)
{
    return (word >> by) | (word << (32u - by));
}

static uint64_t rotated64(uint64_t word, uint32_t by)
{
    return (word >> by) | (word << (64u - by));
}

static void take_block256(ts_sha256 *hash)
{
    uint32_t word[16]; /* the message schedule's last sixteen words, in a ring */
    uint32_t v[8];
    for (uint32_t i = 0; i < 16; ++i) {
        const uint8_t *byte = hash->block + 4 * i;
        word[i] = (uint32_t)byte[0] << 24 | (uint32_t)byte[1] << 16 | (uint32_t)byte[2] << 8 | byte[3];
    }
    for (uint32_t i = 0; i < 8; ++i) {
        v[i] = hash->state[i];
    }
    for (uint32_t round = 0; round < 64; ++round) {
        if (round >= 16) {
            const uint32_t a = word[(round + 1) & 15u];
            const uint32_t b = word[(round + 14) & 15u];
            word[round & 15u] += word[(round + 9) & 15u] + (rotated32(a, 7) ^ rotated32(a, 18) ^ (a >> 3)) +
                                 (rotated32(b, 17) ^ rotated32(b, 19) ^ (b >> 10));
        }
        const uint32_t one = v[7] + (rotated32(v[4], 6) ^ rotated32(v[4], 11) ^ rotated32(v[4], 25)) +
                             ((v[4] & v[5]) ^ (~v[4] & v[6])) + (uint32_t)(k_round[round] >> 32) + word[round & 15u];
        const uint32_t two = (rotated32(v[0], 2) ^ rotated32(v[0], 13) ^ rotated32(v[0], 22)) +
                             ((v[0] & v[1]) ^ (v[0] & v[2]) ^ (v[1] & v[2]));
        for (uint32_t i = 7; i > 0; --i) {
            v[i] = v[i - 1];
        }
        v[4] += one;
        v[0] = one + two;
    }
    for (uint32_t i = 0; i < 8; ++i) {
        hash->state[i] += v[i];
    }
}

static void take_block512(ts_sha512 *hash)
{
    uint64_t word[16]; /* the message schedule's last sixteen words, in a ring */
    uint64_t v[8];
    for (uint32_t i = 0; i < 16; ++i) {
        word[i] = 0;
        for (uint32_t k = 0; k < 8; ++k) {
            word[i] = word[i] << 8 | hash->block[8 * i + k];
        }
    }
    for (uint32_t i = 0; i < 8; ++i) {
        v[i] = hash->state[i];
    }
    for (uint32_t round = 0; round < 80; ++round) {
        if (round >= 16) {
            const uint64_t a = word[(round + 1) & 15u];
            const uint64_t b = word[(round + 14) & 15u];
            word[round & 15u] += word[(round + 9) & 15u] + (rotated64(a, 1) ^ rotated64(a, 8) ^ (a >> 7)) +
                                 (rotated64(b, 19) ^ rotated64(b, 61) ^ (b >> 6));
        }
        const uint64_t one = v[7] + (rotated64(v[4], 14) ^ rotated64(v[4], 18) ^ rotated64(v[4], 41)) +
                             ((v[4] & v[5]) ^ (~v[4] & v[6])) + k_round[round] + word[round & 15u];
        const uint64_t two = (rotated64(v[0], 28) ^ rotated64(v[0], 34) ^ rotated64(v[0], 39)) +
                             ((v[0] & v[1]) ^ (v[0] & v[2]) ^ (v[1] & v[2]));
        for (uint32_t i = 7; i > 0; --i) {
            v[i] = v[i - 1];
        }
        v[4] += one;
        v[0] = one + two;
    }
    for (uint32_t i = 0; i < 8; ++i) {
        hash->state[i] += v[i];
    }
}

void ts_sha256_start(ts_sha256 *hash)
{
    for (uint32_t i = 0; i < 8; ++i) {
        hash->state[i] = (uint32_t)(k_initial[i] >> 32);
    }
    hash->length = 0;
}

void ts_sha256_add(ts_sha256 *hash, const uint8_t *bytes, uint32_t count)
{
    for (uint32_t i = 0; i < count; ++i) {
        hash->block[hash->length++ & 63u] = bytes[i];
        if ((hash->length & 63u) == 0) {
            take_block256(hash);
        }
    }
}

/* The message's end (5.1): a one bit, zeros up to the last eight bytes of a block, and the length in bits. */
void ts_sha256_finish(ts_sha256 *hash, uint8_t digest[TS_SHA256_BYTES])
{
    const uint64_t bits = (uint64_t)hash->length * 8u;
    uint8_t byte = 0x80;
    do {
        ts_sha256_add(hash, &byte, 1);
        byte = 0;
    } while ((hash->length & 63u) != 56);
    for (uint32_t i = 0; i < 8; ++i) {
        byte = (uint8_t)(bits >> (56 - 8 * i));
        ts_sha256_add(hash, &byte, 1);
    }
    for (uint32_t i = 0; i < TS_SHA256_BYTES; ++i) {
        digest[i] = (uint8_t)(hash->state[i / 4] >> (24 - 8 * (i % 4)));
    }
}

void ts_sha512_start(ts_sha512 *hash)
{
    for (uint32_t i = 0; i < 8; ++i) {
        hash->state[i] = k_initial[i];
    }
    hash->length = 0;
}

void ts_sha512_add(ts_sha512 *hash, const uint8_t *bytes, uint32_t count)
{
    for (uint32_t i = 0; i < count; ++i) {
        hash->block[hash->length++ & 127u] = bytes[i];
        if ((hash->length & 127u) == 0) {
            take_block512(hash);
        }
    }
}

/* As above, with a length of sixteen bytes, and a message here is shorter than 2^32 bytes. */
void ts_sha512_finish(ts_sha512 *hash, uint8_t digest[TS_SHA512_BYTES])
{
    const uint64_t bits = (uint64_t)hash->length * 8u;
    uint8_t byte = 0x80;
    do {
        ts_sha512_add(hash, &byte, 1);
        byte = 0;
    } while ((hash->length & 127u) != 112);
    for (uint32_t i = 0; i < 16; ++i) {
        byte = (uint8_t)(i < 8 ? 0 : bits >> (120 - 8 * i));
        ts_sha512_add(hash, &byte, 1);
    }
    for (uint32_t i = 0; i < TS_SHA512_BYTES; ++i) {
        digest[i] = (uint8_t)(hash->state[i / 8] >> (56 - 8 * (i % 8)));
    }
}
