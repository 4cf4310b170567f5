/* SPDX-License-Identifier: Apache-2.0 */
/* Of group 64: the line itself. Who may use it, and how fast it is. */
#include "config.h"
#include "line_rate.h"
#include "secure.h"
#include "smp.h"

enum { LINE_CHALLENGE = 8, LINE_UNLOCK = 9, LINE_LOCK = 10, LINE_RATE = 11 };

static int challenge(smp_request *request)
{
    uint8_t nonce[SECURE_NONCE_BYTES];
    cbor_pair_unsigned(&request->out, "secure", CONFIG_SECURE);
    cbor_pair_unsigned(&request->out, "open", secure_is_open() ? 1u : 0u);
    if (CONFIG_SECURE) {
        if (secure_challenge(nonce) != 0) {
            return SMP_BAD_STATE;
        }
        cbor_pair_bytes(&request->out, "nonce", nonce, SECURE_NONCE_BYTES);
    }
    return SMP_OK;
}

static int unlock(const smp_request *request)
{
    const cbor_value signature = smp_argument(request, "signature");
    if (!request->is_write || signature.kind != CBOR_BYTES || signature.count != TS_ED25519_SIGNATURE_BYTES) {
        return SMP_INVALID;
    }
    return secure_unlock(signature.bytes) == 0 ? SMP_OK : SMP_ACCESS_DENIED;
}

static int rate(smp_request *request)
{
    const uint32_t wanted = smp_number(request, "baud", 0);
    if (request->is_write) {
        if (!line_rate_is_known(wanted)) {
            return SMP_INVALID;
        }
        line_rate_afterwards(wanted);
    }
    cbor_pair_unsigned(&request->out, "baud", request->is_write ? wanted : line_rate());
    cbor_pair_unsigned(&request->out, "most", CONFIG_MOST_BAUD);
    return SMP_OK;
}

int smp_line(smp_request *request)
{
    switch (request->command) {
    case LINE_CHALLENGE:
        return challenge(request);
    case LINE_UNLOCK:
        return unlock(request);
    case LINE_LOCK:
        if (!request->is_write) {
            return SMP_NOT_SUPPORTED;
        }
        secure_lock();
        return SMP_OK;
    case LINE_RATE:
        return rate(request);
    default:
        return SMP_NOT_SUPPORTED;
    }
}

/* What a stranger may ask: what the device is, what its slots hold, and for a number to sign. */
int smp_line_is_public(const smp_request *request)
{
    enum { OS_RESET = 5, IMAGE_STATE = 0, MODEL_INFO = 0, MODEL_SLOTS = 6 };
    switch (request->group) {
    case SMP_GROUP_OS:
        return request->command != OS_RESET;
    case SMP_GROUP_IMAGE:
        return request->command == IMAGE_STATE && !request->is_write;
    case SMP_GROUP_MODEL:
        return (!request->is_write && (request->command == MODEL_INFO || request->command == MODEL_SLOTS)) ||
               (request->command >= LINE_CHALLENGE && request->command <= LINE_LOCK) ||
               (request->command == LINE_RATE && !request->is_write);
    default:
        return 0;
    }
}
