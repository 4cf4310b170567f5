/* SPDX-License-Identifier: Apache-2.0 */
/* Who may use the line. Firmware that is built with --secure tells a stranger what it is and what its slots hold, and
 * does nothing else, until the host has signed a number that the device has drawn. */
#ifndef TS_SECURE_H
#define TS_SECURE_H

#include <stdint.h>

#include "ed25519.h"

#define SECURE_NONCE_BYTES 32u

/* Asked before each request. A line that was not used for CONFIG_SESSION_TICKS is closed by the question. */
int secure_is_open(void);

/* Draws a number for the host to sign; the one before it counts no longer. 0 on success, 1 where the port has no
 * random numbers, or repeats one. */
int secure_challenge(uint8_t nonce[SECURE_NONCE_BYTES]);

/* Opens the line where the signature is the line key's over the label "tinyserve-line-1" and the number. One try for
 * each number. 0 on success. */
int secure_unlock(const uint8_t signature[TS_ED25519_SIGNATURE_BYTES]);

void secure_lock(void);

#endif
