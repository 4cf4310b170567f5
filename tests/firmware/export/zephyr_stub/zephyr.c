/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <zephyr/device.h>
#include <zephyr/drivers/uart.h>
#include <zephyr/kernel.h>
#include <zephyr/timing/timing.h>

const struct device stub_console;

static int polls;

/* A chip whose kernel ticks at 32 kHz and whose processor runs at CPU_MHZ: at 480 its cycle counter turns every 8.9 s.
 * Time passes only when it is read; SLOW_US, many turns, before the reading of the counter that SLOW_READING names. */
#ifndef SLOW_READING
#define SLOW_READING -1
#define SLOW_US 0u
#endif
#ifndef CPU_MHZ
#define CPU_MHZ 480u
#endif
static int readings;
static uint64_t now_us = 8947000u; /* right before a turn */

static uint32_t cpu_cycles(void)
{
    now_us += readings++ == SLOW_READING ? SLOW_US : 250u;
    return (uint32_t)(now_us * CPU_MHZ);
}

int64_t k_uptime_ticks(void)
{
    now_us += 5u;
    return (int64_t)(now_us * 32768u / 1000000u);
}

uint64_t k_ticks_to_us_floor64(uint64_t ticks)
{
    return ticks * 1000000u / 32768u;
}

/* The processor's: DWT on Cortex-M, mcycle on RISC-V. */
void arch_timing_init(void)
{
}

void arch_timing_start(void)
{
}

timing_t arch_timing_counter_get(void)
{
    return cpu_cycles();
}

uint32_t stub_csr_mcycle(void)
{
    return cpu_cycles();
}

/* The chip's own: a timer of 16 MHz. Ambiq's has 24 bits: whoever takes it for 32 loses what turned. */
#ifndef TIMER_MASK
#define TIMER_MASK 0xffffffu
#endif

void timing_init(void)
{
}

void timing_start(void)
{
}

timing_t timing_counter_get(void)
{
    (void)cpu_cycles();
    return (uint32_t)(now_us * 16u) & TIMER_MASK;
}

uint64_t timing_freq_get(void)
{
    return 16000000u;
}

void k_yield(void)
{
}

/* Nothing is there at every other poll, as on a slow line. */
int uart_poll_in(const struct device *dev, unsigned char *c)
{
    (void)dev;
    if (polls++ % 2 == 0) {
        return -1;
    }
    fflush(stdout);
    const int byte = getchar();
    if (byte == EOF) {
        exit(0);
    }
    *c = (unsigned char)byte;
    return 0;
}

void uart_poll_out(const struct device *dev, unsigned char c)
{
    (void)dev;
    putchar(c);
}
