/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STAND_IN_ZEPHYR_FATAL_H
#define STAND_IN_ZEPHYR_FATAL_H

#include <stdint.h>

#if defined(CONFIG_RISCV)
struct arch_esf {
    unsigned long ra, t0, t1, t2, t3, t4, t5, t6, a0, a1, a2, a3, a4, a5, a6, a7;
    unsigned long mepc;
    unsigned long mstatus;
    unsigned long s0;
};
#else
struct arch_esf {
    struct __basic_sf {
        uint32_t a1, a2, a3, a4, ip, lr, pc, xpsr;
    } basic;
};
#endif

void k_sys_fatal_error_handler(unsigned int reason, const struct arch_esf *esf);

#endif
