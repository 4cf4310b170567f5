/* SPDX-License-Identifier: Apache-2.0 */
/* The chip's own timing functions, and those of the architecture. */
#ifndef ZEPHYR_TIMING_H
#define ZEPHYR_TIMING_H

#include <stdint.h>

typedef uint64_t timing_t;

void timing_init(void);
void timing_start(void);
timing_t timing_counter_get(void);
uint64_t timing_freq_get(void);

void arch_timing_init(void);
void arch_timing_start(void);
timing_t arch_timing_counter_get(void);

#endif
