/* SPDX-License-Identifier: Apache-2.0 */
#include "secure.h"

#include "config.h"
#include "port.h"
#include "slots_port.h"

#if CONFIG_SECURE

#define LABEL_BYTES 16u

static const uint8_t k_key[TS_ED25519_KEY_BYTES] = CONFIG_LINE_KEY;
static uint8_t message[LABEL_BYTES + SECURE_NONCE_BYTES]; /* the label, and the number that is out */
static int is_out;
static int is_open;
static uint64_t last_used;

int secure_is_open(void)
{
    const uint64_t now = port_ticks();
    if (is_open && now - last_used > CONFIG_SESSION_TICKS) {
        is_open = 0;
    }
    last_used = now;
    return is_open;
}

int secure_challenge(uint8_t nonce[SECURE_NONCE_BYTES])
{
    static const char label[] = "tinyserve-line-1";
    uint8_t *const drawn = message + LABEL_BYTES;
    int same = 1;
    is_out = 0;
    if (port_random(nonce, SECURE_NONCE_BYTES) != 0) {
        return 1;
    }
    for (uint32_t i = 0; i < SECURE_NONCE_BYTES; ++i) {
        same = same && (nonce[i] == drawn[i] || nonce[i] == nonce[0]);
        drawn[i] = nonce[i];
    }
    for (uint32_t i = 0; i < LABEL_BYTES; ++i) {
        message[i] = (uint8_t)label[i];
    }
    is_out = !same; /* a generator that is stuck would have an old signature open the line */
    return same;
}

int secure_unlock(const uint8_t signature[TS_ED25519_SIGNATURE_BYTES])
{
    const int known = is_out && ts_ed25519_verify(signature, k_key, message, sizeof message);
    is_out = 0;
    is_open = is_open || known;
    last_used = port_ticks();
    return !known;
}

void secure_lock(void)
{
    is_open = 0;
}

#else

int secure_is_open(void)
{
    return 1;
}

int secure_challenge(uint8_t nonce[SECURE_NONCE_BYTES])
{
    (void)nonce;
    return 1;
}

int secure_unlock(const uint8_t signature[TS_ED25519_SIGNATURE_BYTES])
{
    (void)signature;
    return 1;
}

void secure_lock(void)
{
}

#endif
