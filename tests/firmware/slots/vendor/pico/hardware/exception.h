/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STAND_IN_HARDWARE_EXCEPTION_H
#define STAND_IN_HARDWARE_EXCEPTION_H

enum exception_number {
#if defined(__riscv)
    MIN_EXCEPTION_NUM = 0,
    INSTR_ALIGN_EXCEPTION = 0,
    INSTR_FAULT_EXCEPTION = 1,
    INSTR_ILLEGAL_EXCEPTION = 2,
    EBREAK_EXCEPTION = 3,
    LOAD_ALIGN_EXCEPTION = 4,
    LOAD_FAULT_EXCEPTION = 5,
    STORE_ALIGN_EXCEPTION = 6,
    STORE_FAULT_EXCEPTION = 7
#else
    NMI_EXCEPTION = -14,
    HARDFAULT_EXCEPTION = -13,
    SVCALL_EXCEPTION = -5,
    PENDSV_EXCEPTION = -2,
    SYSTICK_EXCEPTION = -1
#endif
};

typedef void (*exception_handler_t)(void);
exception_handler_t exception_set_exclusive_handler(enum exception_number num, exception_handler_t handler);

#endif
