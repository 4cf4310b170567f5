/* SPDX-License-Identifier: Apache-2.0 */
/* Weights that lie in flash with four bits each, to the scratch where the kernel of their layer reads them in its own
 * order: the compiler inserts it before the layer. */
#ifndef TS_UNPACK_H
#define TS_UNPACK_H

#include <stdint.h>

#include "common/nibbles.h"

typedef struct {
    int32_t words;          /* of 8 values */
    const uint32_t *packed; /* see common/nibbles.h */
} ts_unpack_params;

/* values: 8 * words bytes. */
static inline void ts_unpack(const ts_unpack_params *p, void *values)
{
    ts_unpack_nibbles(p->packed, p->words, values);
}

/* Records of `head` bytes, `run` values of four bits and `tail` bytes. */
typedef struct {
    int32_t records, head, run, tail;
    const uint8_t *packed; /* [records][run / 2, rounded up]: low nibbles first */
    const uint8_t *rest;   /* [records][head + tail] */
} ts_unpack_records_params;

/* values: [records][head + run + tail] bytes. */
static inline void ts_unpack_records(const ts_unpack_records_params *p, void *values)
{
    uint8_t *to = values;
    const uint8_t *packed = p->packed, *rest = p->rest;
    for (int32_t record = 0; record < p->records; record++) {
        for (int32_t i = 0; i < p->head; i++) {
            *to++ = *rest++;
        }
        for (int32_t i = 0; i < p->run / 2; i++, to += 2) {
            const uint32_t both = *packed++;
            to[0] = (uint8_t)ts_signed_nibbles(both & 15u);
            to[1] = (uint8_t)ts_signed_nibbles(both >> 4);
        }
        if (p->run % 2 != 0) {
            *to++ = (uint8_t)ts_signed_nibbles(*packed++ & 15u);
        }
        for (int32_t i = 0; i < p->tail; i++) {
            *to++ = *rest++;
        }
    }
}

#endif
