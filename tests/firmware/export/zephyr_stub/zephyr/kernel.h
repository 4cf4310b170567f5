/* SPDX-License-Identifier: Apache-2.0 */
/* The few pieces of Zephyr that the port uses, on a computer's standard input and output. */
#ifndef ZEPHYR_KERNEL_H
#define ZEPHYR_KERNEL_H

#include <stdint.h>

int64_t k_uptime_ticks(void);
uint64_t k_ticks_to_us_floor64(uint64_t ticks);
void k_yield(void);

#endif
