/* SPDX-License-Identifier: Apache-2.0 */
/* How the tests' images start on an emulated Cortex-M55: coprocessors on, and only their own memory answers.
 *
 * The machine has RAM at address 0: without the MPU a kernel that writes through NULL goes unnoticed. Text lies from
 * 0x1000 on, constants at 0x01000000, the stack at 0x20000000, data at 0x21000000 (image.ld). */
#include <stdint.h>

static void semihost(int operation, const void *argument)
{
    register int r0 __asm("r0") = operation;
    register const void *r1 __asm("r1") = argument;
    __asm volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
}

extern uint32_t __text_end[], __rodata_end[], __data_end[];
void run_all(void);

__attribute__((used)) static void guarded_start(void)
{
    enum { REGIONS = 4, ENABLE = 1, READ_ONLY = 3 << 1, WRITABLE = 1 << 1, EXECUTE_NEVER = 1 };
    const uint32_t regions[REGIONS][3] = {
        {0x00001000, (uint32_t)__text_end, READ_ONLY},
        {0x01000000, (uint32_t)__rodata_end, READ_ONLY | EXECUTE_NEVER},
        {0x20000000, 0x20010000, WRITABLE | EXECUTE_NEVER},
        {0x21000000, (uint32_t)__data_end, WRITABLE | EXECUTE_NEVER},
    };
    volatile uint32_t *const mpu = (volatile uint32_t *)0xE000ED90u; /* TYPE, CTRL, RNR, RBAR, RLAR; MAIR0 at 12 */
    mpu[12] = 0xff;
    for (uint32_t i = 0; i < REGIONS; i++) {
        mpu[2] = i;
        mpu[3] = regions[i][0] | regions[i][2];
        mpu[4] = (regions[i][1] - 32) | ENABLE;
    }
    mpu[1] = ENABLE;
    __asm volatile("dsb\nisb" ::: "memory");
    run_all();
}

__attribute__((naked)) void start(void);
__attribute__((naked)) void start(void)
{
    __asm volatile("ldr r0, =0xE000ED88\n"
                   "ldr r1, [r0]\n"
                   "orr r1, r1, #0xF00000\n"
                   "str r1, [r0]\n"
                   "dsb\n"
                   "isb\n"
                   "b guarded_start");
}

/* Reached with the MPU off: a fault's handler may read what it likes. */
static void fault(void)
{
    semihost(4, "fault\n");
    semihost(0x18, (const void *)0x20026);
    for (;;) {
    }
}

__attribute__((section(".vectors"), used)) static void *const vectors[16] = {
    (void *)0x20010000, (void *)start, (void *)fault, (void *)fault, (void *)fault, (void *)fault, (void *)fault};
