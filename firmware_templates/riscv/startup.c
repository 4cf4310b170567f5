/* SPDX-License-Identifier: Apache-2.0 */
/* Reset of an emulated RV32 core: the first instruction of flash. */
#include <stdint.h>

#include "config.h"
#include "serial_text.h"
#ifdef CONFIG_SLOTS
#include "serving.h"
#endif

extern uint32_t __stack_bottom[], __stack_top[];
extern uint32_t __data_start[], __data_end[], __data_load[];
extern uint32_t __bss_start[], __bss_end[];

int main(void);
void Reset_Handler(void);
void start_c(void);
void trap_entry(void);
void ts_firmware_fault(uint32_t pc, uint32_t address, uint32_t cause);

#define STACK_PAINT 0xa5a5a5a5u

__attribute__((naked, noreturn, used, section(".vectors"))) void Reset_Handler(void)
{
    __asm volatile("la sp, __stack_top\n"
                   "la t0, trap_entry\n"
                   "csrw mtvec, t0\n"
#if defined(__riscv_flen)
                   "li t0, 0x2000\n" /* mstatus.FS: off at reset */
                   "csrs mstatus, t0\n"
#endif
                   "call start_c\n"
                   "1: j 1b\n");
}

/* Memory as C expects it, and the free stack painted for the high-water mark. */
void start_c(void)
{
    volatile uint32_t *paint = __stack_bottom;
    volatile uint32_t *const here = (volatile uint32_t *)__builtin_frame_address(0) - 16;
    while (paint < here) {
        *paint++ = STACK_PAINT;
    }
    volatile uint32_t *to = __data_start;
    for (const volatile uint32_t *from = __data_load; to < __data_end;) {
        *to++ = *from++;
    }
    for (to = __bss_start; to < __bss_end;) {
        *to++ = 0;
    }
    (void)main();
    for (;;) {
    }
}

__attribute__((naked, noreturn, used, aligned(4))) void trap_entry(void)
{
    __asm volatile("csrr a0, mepc\n"
                   "csrr a1, mtval\n"
                   "csrr a2, mcause\n"
                   "la sp, __stack_top\n"
                   "call ts_firmware_fault\n");
}

static void print_word(const char *name, uint32_t word)
{
    const uint8_t bytes[4] = {(uint8_t)(word >> 24), (uint8_t)(word >> 16), (uint8_t)(word >> 8), (uint8_t)word};
    print_text(name);
    print_hex(bytes, 4);
}

__attribute__((noreturn, used)) void ts_firmware_fault(uint32_t pc, uint32_t address, uint32_t cause)
{
#ifdef CONFIG_SLOTS
    serving_fault(pc); /* which resets: the next start knows why */
#endif
    print_word("e-[fault pc=0x", pc);
    print_word(" address=0x", address);
    print_word(" cause=0x", cause);
    print_text("]\r\n");
    for (;;) {
    }
}
