/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <zephyr/device.h>
#include <zephyr/drivers/uart.h>
#include <zephyr/kernel.h>
#include <zephyr/timing/timing.h>

const struct device stub_console;

static int polls;

/* A chip whose kernel ticks at 32 kHz and whose cycle counter runs at 480 MHz: it turns every 8.9 s. Time passes only
 * when it is read; 20 s, more than two turns, before the reading that SLOW_READING names. */
#ifndef SLOW_READING
#define SLOW_READING -1
#endif
static int readings;
static uint64_t now_us = 8947000u; /* right before a turn */

int64_t k_uptime_ticks(void)
{
    return (int64_t)(now_us * 32768u / 1000000u);
}

uint64_t k_ticks_to_us_floor64(uint64_t ticks)
{
    return ticks * 1000000u / 32768u;
}

void timing_init(void)
{
}

void timing_start(void)
{
}

timing_t timing_counter_get(void)
{
    now_us += readings++ == SLOW_READING ? 20000000u : 250u;
    return (uint32_t)(now_us * 480u);
}

uint64_t timing_freq_get(void)
{
    return 480000000u;
}

uint64_t timing_cycles_to_ns(uint64_t cycles)
{
    return cycles * 100u / 48u;
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
