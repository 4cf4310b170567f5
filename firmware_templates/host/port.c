/* SPDX-License-Identifier: Apache-2.0 */
/* Port of the computer: the protocol on standard input and output, nanoseconds of the monotonic clock. */
#define _POSIX_C_SOURCE 200809L

#include "port.h"

#include <stdio.h>
#include <time.h>

static uint64_t nanoseconds(void)
{
    struct timespec now;
#ifdef _WIN32
    timespec_get(&now, TIME_UTC);
#else
    clock_gettime(CLOCK_MONOTONIC, &now);
#endif
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static uint64_t start;

void port_init(void)
{
    start = nanoseconds();
}

int port_getc(void)
{
    fflush(stdout);
    const int c = getchar();
    return c == EOF ? -1 : c;
}

void port_putc(char c)
{
    putchar(c);
}

uint64_t port_ticks(void)
{
    return nanoseconds() - start;
}

uint64_t port_timestamp_us(void)
{
    return port_ticks() / 1000u;
}

uint32_t port_clock_hz(void)
{
    return 0;
}

uint32_t port_counted_tick_hz(void)
{
    return 0;
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
