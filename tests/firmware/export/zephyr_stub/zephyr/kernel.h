/* The few pieces of Zephyr that the port uses, on a computer's standard input and output. */
#ifndef ZEPHYR_KERNEL_H
#define ZEPHYR_KERNEL_H

#include <stdint.h>

uint32_t k_cycle_get_32(void);
uint64_t k_cyc_to_ns_floor64(uint64_t cycles);
void k_yield(void);

#endif
