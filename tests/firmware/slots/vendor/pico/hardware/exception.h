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
    STORE_FAULT_EXCEPTION = 7,
    ECALL_UMODE_EXCEPTION = 8,
    ECALL_SMODE_EXCEPTION = 9,
    ECALL_MMODE_EXCEPTION = 11,
    MAX_EXCEPTION_NUM = 11
#else
    MIN_EXCEPTION_NUM = 2, /* places in the vector table; counted from -16 before SDK 2 */
    NMI_EXCEPTION = 2,
    HARDFAULT_EXCEPTION = 3,
    SVCALL_EXCEPTION = 11,
    PENDSV_EXCEPTION = 14,
    SYSTICK_EXCEPTION = 15,
    MAX_EXCEPTION_NUM = 15
#endif
};

typedef void (*exception_handler_t)(void);
exception_handler_t exception_set_exclusive_handler(enum exception_number num, exception_handler_t handler);

#endif
