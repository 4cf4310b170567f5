/* SPDX-License-Identifier: Apache-2.0 */
/* Port of Zephyr: the console's UART, nanoseconds of the processor's cycle counter. */
#include "port.h"

#include <zephyr/device.h>
#include <zephyr/drivers/uart.h>
#include <zephyr/kernel.h>
#include <zephyr/timing/timing.h>

#include "wide_counter.h"

/* The counter is one of 32 bits that turns. A chip's own timing functions come last: they may count another clock, or
 * a SysTick of 24 bits, and the kernel's counter, which the others fall back to, ticks at 32 kHz on some chips. */
#if defined(CONFIG_CORTEX_M_DWT)
#define COUNTS_PROCESSOR 1
static void counter_start(void)
{
    arch_timing_init();
    arch_timing_start();
}

static uint32_t counter_read(void)
{
    return (uint32_t)arch_timing_counter_get();
}
#elif defined(CONFIG_RISCV) && !defined(CONFIG_SOC_HAS_TIMING_FUNCTIONS) && !defined(CONFIG_SOC_FAMILY_ESPRESSIF_ESP32)
#include <zephyr/arch/riscv/csr.h>

#define COUNTS_PROCESSOR 1
static void counter_start(void)
{
    /* mcycle runs from reset */
}

static uint32_t counter_read(void)
{
    return (uint32_t)csr_read(mcycle);
}
#else
#if defined(CONFIG_CORTEX_M_SYSTICK) || defined(CONFIG_XTENSA)
#define COUNTS_PROCESSOR 1
#else
#define COUNTS_PROCESSOR 0
#endif
static void counter_start(void)
{
    timing_init();
    timing_start();
}

static uint32_t counter_read(void)
{
    return (uint32_t)timing_counter_get();
}
#endif

#define CALIBRATION_US 100000u
#define MOST_READINGS 30000000u /* of a kernel whose time stands still */
#define NS_PER_S UINT64_C(1000000000)

static const struct device *const console = DEVICE_DT_GET(DT_CHOSEN(zephyr_console));

static wide_counter cycles;
static uint32_t counter_hz;

/* The kernel's uptime has 64 bits. */
uint64_t port_timestamp_us(void)
{
    return k_ticks_to_us_floor64((uint64_t)k_uptime_ticks());
}

/* The time of the first tick of the kernel that is `least_us` or later. */
static uint64_t wait_for_tick(uint64_t least_us)
{
    const uint64_t begin = port_timestamp_us();
    for (uint32_t i = 0; i < MOST_READINGS; i++) {
        const uint64_t now = port_timestamp_us();
        if (now != begin && now >= least_us) {
            return now;
        }
    }
    return begin;
}

/* What the counter does in a second of the kernel's time: what functions and device trees state may be the rate of
 * another clock, or of this one before something changed it. */
static uint32_t counted_hz(void)
{
    const uint64_t begin_us = wait_for_tick(0);
    const uint32_t begin = counter_read();
    const uint64_t end_us = wait_for_tick(begin_us + CALIBRATION_US);
    const uint32_t passed = counter_read() - begin;
    return end_us > begin_us ? (uint32_t)((uint64_t)passed * 1000000u / (end_us - begin_us)) : 0u;
}

void port_init(void)
{
    counter_start();
    counter_hz = counted_hz();
    if (counter_hz == 0u) {
        counter_hz = (uint32_t)timing_freq_get();
    }
    wide_counter_start(&cycles, counter_read(), port_timestamp_us());
}

int port_getc(void)
{
    unsigned char c;
    while (uart_poll_in(console, &c) != 0) {
        k_yield();
    }
    return (int)c;
}

void port_putc(char c)
{
    uart_poll_out(console, (unsigned char)c);
}

/* The seconds apart, so that no product leaves 64 bits, however long the board has run. */
uint64_t port_ticks(void)
{
    const uint32_t reading = counter_read();
    const uint64_t total = wide_counter_add(&cycles, reading, port_timestamp_us(), counter_hz);
    return total / counter_hz * NS_PER_S + total % counter_hz * NS_PER_S / counter_hz;
}

uint32_t port_clock_hz(void)
{
    return COUNTS_PROCESSOR ? counter_hz : 0u;
}

uint32_t port_counted_tick_hz(void)
{
    return 0; /* ticks are nanoseconds */
}

void port_timestamp_edge(void)
{
    /* no pin here */
}

void port_detection_edge(void)
{
    /* no pin here */
}

void port_marker(int on)
{
    (void)on;
}

uint32_t port_stack_size(void)
{
    return 0;
}

uint32_t port_stack_used(void)
{
    return 0;
}
