/* SPDX-License-Identifier: Apache-2.0 */
/* Vector table and reset of an emulated Cortex-M. */
#include <stdint.h>

#include "config.h"
#include "serial_text.h"
#ifdef CONFIG_SLOTS
#include "serving.h"
#endif

extern uint32_t __stack_bottom[], __stack_top[];
extern uint32_t __data_start[], __data_end[], __data_load[];
extern uint32_t __bss_start[], __bss_end[];
extern uint32_t __flash_start[], __flash_end[], __ram_start[], __ram_end[];

int main(void);
void Reset_Handler(void);
void Fault_Handler(void);
void start_c(void);
void ts_firmware_fault(const uint32_t *frame);

#define STACK_PAINT 0xa5a5a5a5u

/* What lies above the vector table's first 16 entries are interrupts, which this firmware does not use. */
typedef union {
    uint32_t *stack;
    void (*handler)(void);
} vector;

__attribute__((section(".vectors"), used)) static const vector vectors[16] = {
    {.stack = __stack_top},     {.handler = Reset_Handler}, {.handler = Fault_Handler}, {.handler = Fault_Handler},
    {.handler = Fault_Handler}, {.handler = Fault_Handler}, {.handler = Fault_Handler}, {.handler = Fault_Handler},
    {.handler = Fault_Handler}, {.handler = Fault_Handler}, {.handler = Fault_Handler}, {.handler = Fault_Handler},
    {.handler = Fault_Handler}, {.handler = Fault_Handler}, {.handler = Fault_Handler}, {.handler = Fault_Handler},
};

/* Naked, because a compiler may use FPU or MVE registers anywhere in C: their coprocessor is enabled (CPACR) first. */
__attribute__((naked, noreturn, used)) void Reset_Handler(void)
{
    __asm volatile(
#if defined(__ARM_FP) || defined(__ARM_FEATURE_MVE)
        "ldr r0, 1f\n"
        "ldr r1, [r0]\n"
        "movs r2, #15\n"
        "lsls r2, r2, #20\n"
        "orrs r1, r2\n"
        "str r1, [r0]\n"
        "dsb\n"
        "isb\n"
#endif
        "bl start_c\n"
        "b .\n"
#if defined(__ARM_FP) || defined(__ARM_FEATURE_MVE)
        ".balign 4\n"
        "1: .word 0xe000ed88\n"
#endif
    );
}

#if defined(__ARM_ARCH_8M_MAIN__) || defined(__ARM_ARCH_8_1M_MAIN__)
/* Emulated machines have more memory than the board, some of it at address 0. Only flash (not to be written), RAM and
 * peripherals answer; anything else faults, a NULL pointer first of all. The vector table is read regardless. */
static void guard_memory(void)
{
    enum { REGIONS = 3, ENABLE = 1, EXECUTE_NEVER = 1, ANY = 1 << 1, READ_ONLY = 3 << 1, PERIPHERAL = 1 << 1 };
    static const struct {
        const uint32_t *start, *end;
        uint32_t access, attributes;
    } regions[REGIONS] = {
        {__flash_start, __flash_end, READ_ONLY, 0},
        {__ram_start, __ram_end, ANY | EXECUTE_NEVER, 0},
        {(const uint32_t *)0x40000000u, (const uint32_t *)0x60000000u, ANY | EXECUTE_NEVER, PERIPHERAL},
    };
    volatile uint32_t *const mpu = (volatile uint32_t *)0xE000ED90u; /* TYPE, CTRL, RNR, RBAR, RLAR; MAIR0 at 12 */
#ifdef CONFIG_MEMORIES
    static const uint32_t further[][2] = CONFIG_MEMORIES;
    const uint32_t count = sizeof further / sizeof further[0];
#else
    const uint32_t count = 0;
#endif
    if ((mpu[0] >> 8 & 0xff) < REGIONS + count) {
        return;
    }
    mpu[12] = 0x00ff; /* attributes 0: normal memory, 1: device */
    for (uint32_t i = 0; i < REGIONS; i++) {
        mpu[2] = i;
        mpu[3] = (uint32_t)(uintptr_t)regions[i].start | regions[i].access;
        mpu[4] = ((uint32_t)(uintptr_t)regions[i].end - 32) | regions[i].attributes | ENABLE;
    }
#ifdef CONFIG_MEMORIES
    for (uint32_t i = 0; i < count; i++) {
        mpu[2] = REGIONS + i;
        mpu[3] = further[i][0] | ANY | EXECUTE_NEVER;
        mpu[4] = (further[i][1] - 32) | ENABLE;
    }
#endif
    mpu[1] = ENABLE;
    __asm volatile("dsb\nisb" ::: "memory");
}
#else
static void guard_memory(void)
{
}
#endif

/* Memory as C expects it, and the free stack painted for the high-water mark. */
void start_c(void)
{
    guard_memory();
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

/* The exception frame is r0-r3, r12, lr, pc, xpsr; bit 2 of EXC_RETURN would pick the process stack, never used here.
 */
__attribute__((naked, noreturn, used)) void Fault_Handler(void)
{
    __asm volatile("mov r0, sp\n"
                   "ldr r1, 1f\n"
                   "bx r1\n"
                   ".balign 4\n"
                   "1: .word ts_firmware_fault\n");
}

static void print_word(uint32_t word)
{
    const uint8_t bytes[4] = {(uint8_t)(word >> 24), (uint8_t)(word >> 16), (uint8_t)(word >> 8), (uint8_t)word};
    print_text("0x");
    print_hex(bytes, 4);
}

__attribute__((noreturn, used)) void ts_firmware_fault(const uint32_t *frame)
{
#ifdef CONFIG_SLOTS
    serving_fault(frame[6]); /* which resets: the next start knows why */
#endif
    print_text("e-[fault pc=");
    print_word(frame[6]);
    print_text(" lr=");
    print_word(frame[5]);
    print_text("]\r\n");
    for (;;) {
    }
}
