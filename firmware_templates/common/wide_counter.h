/* SPDX-License-Identifier: Apache-2.0 */
/* A 32-bit counter made 64 bits wide, whatever number of its turns pass between two readings: a slower clock says how
 * many. At 480 MHz a turn takes 8.9 s, which one inference may. */
#ifndef WIDE_COUNTER_H
#define WIDE_COUNTER_H

#include <stdint.h>

typedef struct {
    uint32_t last;
    uint64_t last_us;
    uint64_t total;
} wide_counter;

static inline void wide_counter_start(wide_counter *counter, uint32_t reading, uint64_t now_us)
{
    counter->last = reading;
    counter->last_us = now_us;
    counter->total = 0;
}

/* The total after `reading`, taken at `now_us`, of a counter of about `hz`. */
static inline uint64_t wide_counter_add(wide_counter *counter, uint32_t reading, uint64_t now_us, uint32_t hz)
{
    uint64_t passed = (uint32_t)(reading - counter->last);
    const uint64_t expected = (now_us - counter->last_us) / 1000u * (hz / 1000u);
    if (expected > passed) {
        passed += (expected - passed + (UINT64_C(1) << 31)) >> 32 << 32;
    }
    counter->last = reading;
    counter->last_us = now_us;
    counter->total += passed;
    return counter->total;
}

#endif
