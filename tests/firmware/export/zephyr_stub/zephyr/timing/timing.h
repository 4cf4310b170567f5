/* SPDX-License-Identifier: Apache-2.0 */
/* Cycles of the processor: a counter of 32 bits that turns, and how fast it is. */
#ifndef ZEPHYR_TIMING_H
#define ZEPHYR_TIMING_H

#include <stdint.h>

typedef uint64_t timing_t;

void timing_init(void);
void timing_start(void);
timing_t timing_counter_get(void);
uint64_t timing_freq_get(void);
uint64_t timing_cycles_to_ns(uint64_t cycles);

#endif
