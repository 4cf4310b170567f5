/* SPDX-License-Identifier: Apache-2.0 */
/* Copies a value to another place of the arena, over itself if need be: the compiler inserts it where that makes the
 * arena smaller. Both places are aligned to 4 bytes. */
#ifndef TS_MOVE_H
#define TS_MOVE_H

#include <stdint.h>

#include "common/compiler.h"

typedef uint32_t TS_MAY_ALIAS ts_move_word; /* the value may be of any type */

typedef struct {
    int32_t bytes;
} ts_move_params;

static inline void ts_move(const ts_move_params *p, const void *from, void *to)
{
    const uint8_t *const source = from;
    uint8_t *const target = to;
    const ts_move_word *const source_words = from;
    ts_move_word *const target_words = to;
    const int32_t words = p->bytes / 4;

    if (target > source) { /* from the end, so that nothing is overwritten before it was read */
        for (int32_t i = p->bytes - 1; i >= 4 * words; i--) {
            target[i] = source[i];
        }
        for (int32_t i = words - 1; i >= 0; i--) {
            target_words[i] = source_words[i];
        }
    } else {
        for (int32_t i = 0; i < words; i++) {
            target_words[i] = source_words[i];
        }
        for (int32_t i = 4 * words; i < p->bytes; i++) {
            target[i] = source[i];
        }
    }
}

#endif
