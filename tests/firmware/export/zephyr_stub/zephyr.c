#include <stdio.h>
#include <stdlib.h>
#include <zephyr/device.h>
#include <zephyr/drivers/uart.h>
#include <zephyr/kernel.h>

const struct device stub_console;

static uint32_t cycles = 0xffffff00u; /* right before its turn */
static int polls;

uint32_t k_cycle_get_32(void)
{
    return cycles += 100u;
}

uint64_t k_cyc_to_ns_floor64(uint64_t count)
{
    return count * 10u;
}

void k_yield(void) {}

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
