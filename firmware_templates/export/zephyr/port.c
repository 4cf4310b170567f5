/* SPDX-License-Identifier: Apache-2.0 */
/* Port of Zephyr: the console's UART, nanoseconds of the processor's cycle counter. The kernel's own counter ticks at
 * 32 kHz on some chips and turns within seconds on others. */
#include "port.h"

#include <zephyr/device.h>
#include <zephyr/drivers/uart.h>
#include <zephyr/kernel.h>
#include <zephyr/timing/timing.h>

#include "wide_counter.h"

static const struct device *const console = DEVICE_DT_GET(DT_CHOSEN(zephyr_console));

static wide_counter cycles;
static uint32_t cycles_hz;

void port_init(void)
{
    timing_init();
    timing_start();
    cycles_hz = (uint32_t)timing_freq_get();
    wide_counter_start(&cycles, (uint32_t)timing_counter_get(), port_timestamp_us());
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

uint64_t port_ticks(void)
{
    const uint32_t reading = (uint32_t)timing_counter_get();
    const uint64_t total = wide_counter_add(&cycles, reading, port_timestamp_us(), cycles_hz);
    return timing_cycles_to_ns(total);
}

/* The kernel's uptime has 64 bits. */
uint64_t port_timestamp_us(void)
{
    return k_ticks_to_us_floor64((uint64_t)k_uptime_ticks());
}

uint32_t port_clock_hz(void)
{
    return cycles_hz;
}

uint32_t port_counted_tick_hz(void)
{
    return 0; /* ticks are nanoseconds by the kernel's word */
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
