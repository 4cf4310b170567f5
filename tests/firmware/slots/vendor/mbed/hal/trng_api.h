/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STAND_IN_TRNG_API_H
#define STAND_IN_TRNG_API_H

#include <stddef.h>
#include <stdint.h>

struct trng_s { /* the target's own */
    uint32_t unused;
};
typedef struct trng_s trng_t;

extern "C" void trng_init(trng_t *obj);
extern "C" void trng_free(trng_t *obj);
extern "C" int trng_get_bytes(trng_t *obj, uint8_t *output, size_t length, size_t *output_length);

#endif
