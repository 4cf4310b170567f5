/* Port of Zephyr: the console's UART, nanoseconds of the kernel's cycle counter. */
#include "port.h"

#include <zephyr/device.h>
#include <zephyr/drivers/uart.h>
#include <zephyr/kernel.h>

static const struct device *const console = DEVICE_DT_GET(DT_CHOSEN(zephyr_console));

static uint32_t last_reading;
static uint64_t elapsed_cycles;

void port_init(void)
{
    last_reading = k_cycle_get_32();
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

/* 64 bits as long as it is called once per turn of the 32-bit counter. */
uint64_t port_ticks(void)
{
    const uint32_t reading = k_cycle_get_32();
    elapsed_cycles += (uint32_t)(reading - last_reading);
    last_reading = reading;
    return k_cyc_to_ns_floor64(elapsed_cycles);
}

uint64_t port_timestamp_us(void)
{
    return port_ticks() / 1000u;
}

void port_timestamp_edge(void)
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
