/* SPDX-License-Identifier: Apache-2.0 */
/* A move keeps every byte, whichever way the two places overlap. */
#include <string.h>

#include "check.h"
#include "move.h"

enum { MOST = 200 };

int main(void)
{
    static uint32_t memory[2 * MOST / 4];
    uint8_t *const bytes = (uint8_t *)memory;
    uint8_t before[2 * MOST];
    for (int i = 0; i < 20000; i++) {
        for (int j = 0; j < 2 * MOST; j++) {
            bytes[j] = (uint8_t)random_bits();
        }
        memcpy(before, bytes, sizeof before);
        const ts_move_params params = {.bytes = random_between(0, MOST)};
        const int32_t from = 4 * random_between(0, MOST / 4), to = 4 * random_between(0, MOST / 4);
        ts_move(&params, bytes + from, bytes + to);
        CHECK_EQUAL(memcmp(bytes + to, before + from, (size_t)params.bytes), 0);
        CHECK_EQUAL(memcmp(bytes, before, (size_t)to), 0);
        const int32_t end = to + params.bytes;
        CHECK_EQUAL(memcmp(bytes + end, before + end, (size_t)(2 * MOST - end)), 0);
    }
    return 0;
}
