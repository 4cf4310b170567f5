/* SPDX-License-Identifier: Apache-2.0 */
/* Counts instructions of calls on QEMU's Cortex-M55 by its system counter, and says them over semihosting. */
#include <stddef.h>
#include <stdint.h>

static uint8_t memory[MEMORY] __attribute__((aligned(16)));

static void semihost(int operation, const void *argument)
{
    register int r0 __asm("r0") = operation;
    register const void *r1 __asm("r1") = argument;
    __asm volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
}

static uint32_t now(void)
{
    return *(volatile uint32_t *)0x58100008u;
}

static void say(uint32_t value)
{
    char digits[12];
    char *at = digits + 10;
    at[0] = '\n';
    at[1] = 0;
    do {
        *--at = (char)('0' + value % 10);
        value /= 10;
    } while (value != 0);
    semihost(4, at);
}

static void finish(void)
{
    semihost(4, "done\n");
    semihost(0x18, (const void *)0x20026);
    for (;;) {
    }
}

static void start_counting(void)
{
    *(volatile uint32_t *)0x58100000u = 1;
}

static void bytes(uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        memory[i] = (uint8_t)(31 * i + 7);
    }
}

static void floats(uint32_t count)
{
    for (uint32_t i = 0; i < count / 4; i++) {
        ((float *)memory)[i] = (float)(int8_t)(31 * i + 7) / 32.0f;
    }
}

void run_all(void);
__attribute__((naked, used)) void start(void)
{
    __asm volatile("ldr r0, =0xE000ED88\n"
                   "ldr r1, [r0]\n"
                   "orr r1, r1, #0xF00000\n"
                   "str r1, [r0]\n"
                   "dsb\n"
                   "isb\n"
                   "b run_all\n");
}

static void fault(void)
{
    semihost(4, "fault\n");
    semihost(0x18, (const void *)0x20026);
    for (;;) {
    }
}

__attribute__((section(".vectors"), used)) static void *const vectors[16] = {
    (void *)0x20010000, (void *)start, (void *)fault, (void *)fault, (void *)fault, (void *)fault, (void *)fault};
