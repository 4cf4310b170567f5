/* SPDX-License-Identifier: Apache-2.0 */
/* Port of an emulated RV32 core: UART, instruction counter and marker of docs/architecture.md's memory map. */
#include "port.h"

#include "config.h"

#define WORD(address) (*(volatile uint32_t *)(uintptr_t)(address))
#define BYTE(address) (*(volatile uint8_t *)(uintptr_t)(address))

#define UART_DATA BYTE(CONFIG_UART + 0u)
#define UART_LSR BYTE(CONFIG_UART + 5u)
#define UART_SCR BYTE(CONFIG_UART + 7u)
#define LSR_RX_WAITING 1u
#define LSR_TX_EMPTY 32u
#define SCR_COUNTER_IS_MAPPED 0x75u

#define STACK_PAINT 0xa5a5a5a5u

#if !defined(CONFIG_TIMER_MINSTRET)
#error "config.h names no counter that this port has"
#endif

extern uint32_t __stack_bottom[], __stack_top[];

static int counter_is_mapped;
static uint32_t minstret_shift;

int port_getc(void)
{
    while ((UART_LSR & LSR_RX_WAITING) == 0u) {
    }
    return (int)UART_DATA;
}

void port_putc(char c)
{
    while ((UART_LSR & LSR_TX_EMPTY) == 0u) {
    }
    UART_DATA = (uint8_t)c;
}

static uint64_t mapped_counter(void)
{
    uint32_t high, low;
    do {
        high = WORD(CONFIG_TIMER + 4u);
        low = WORD(CONFIG_TIMER);
    } while (WORD(CONFIG_TIMER + 4u) != high);
    return (uint64_t)high << 32 | low;
}

static uint64_t minstret(void)
{
    uint32_t high, low, again;
    do {
        __asm volatile("csrr %0, minstreth" : "=r"(high));
        __asm volatile("csrr %0, minstret" : "=r"(low));
        __asm volatile("csrr %0, minstreth" : "=r"(again));
    } while (again != high);
    return (uint64_t)high << 32 | low;
}

/* The minstret of QEMU before version 9 counts nanoseconds under -icount, 256 per instruction; newer ones and others
 * count instructions. Between two readings lie a few instructions. */
void port_init(void)
{
    counter_is_mapped = UART_SCR == SCR_COUNTER_IS_MAPPED;
    if (!counter_is_mapped) {
        const uint64_t before = minstret();
        minstret_shift = minstret() - before >= 256u ? 8u : 0u;
    }
}

uint64_t port_ticks(void)
{
    return counter_is_mapped ? mapped_counter() : minstret() >> minstret_shift;
}

/* An estimate: instructions times the cycles that one takes on average, at the board's clock. No measurement of time.
 */
uint64_t port_timestamp_us(void)
{
    return port_ticks() * CONFIG_CYCLES_PER_1024_INSTRUCTIONS / 1024u * 1000u / (CONFIG_CLOCK_HZ / 1000u);
}

uint32_t port_clock_hz(void)
{
    return 0; /* an emulator has none */
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
    BYTE(CONFIG_MARKER) = (uint8_t)on;
}

uint32_t port_stack_size(void)
{
    return (uint32_t)((uintptr_t)__stack_top - (uintptr_t)__stack_bottom);
}

uint32_t port_stack_used(void)
{
    const volatile uint32_t *at = __stack_bottom;
    while (at < __stack_top && *at == STACK_PAINT) {
        at++;
    }
    return (uint32_t)((uintptr_t)__stack_top - (uintptr_t)at);
}
