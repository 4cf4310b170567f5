/* SPDX-License-Identifier: Apache-2.0 */
/* Port of an emulated Cortex-M: UART, instruction counter and marker of docs/architecture.md's memory map. */
#include "port.h"

#include "config.h"

#define REGISTER(address) (*(volatile uint32_t *)(uintptr_t)(address))

#define UART_DATA REGISTER(CONFIG_UART + 0x00u)
#define UART_STATE REGISTER(CONFIG_UART + 0x04u)
#define UART_CTRL REGISTER(CONFIG_UART + 0x08u)
#define UART_BAUDDIV REGISTER(CONFIG_UART + 0x10u)
#define UART_TX_FULL 1u
#define UART_RX_WAITING 2u

#define DEMCR REGISTER(0xe000edfcu)
#define DEMCR_TRCENA (1u << 24)
#define DWT_CTRL REGISTER(0xe0001000u)
#define DWT_CYCCNT REGISTER(0xe0001004u)

#define STACK_PAINT 0xa5a5a5a5u

extern uint32_t __stack_bottom[], __stack_top[];

static int cyccnt_counts; /* under Unicorn it does, and counts instructions; under QEMU it stands still */
static uint32_t last_reading;
static uint64_t elapsed;

#if defined(CONFIG_TIMER_CMSDK) || defined(CONFIG_TIMER_CMSDK20)
/* CMSDK APB timer, counting down at 25 (20) MHz: 6.4 (5.12) ticks per instruction at 256 ns each (-icount shift=8). */
static void timer_start(void)
{
    REGISTER(CONFIG_TIMER + 0x8u) = 0xffffffffu;
    REGISTER(CONFIG_TIMER + 0x4u) = 0xffffffffu;
    REGISTER(CONFIG_TIMER + 0x0u) = 1u;
}

static uint32_t timer_read(void)
{
    return ~REGISTER(CONFIG_TIMER + 0x4u);
}

static uint64_t instructions(uint64_t ticks)
{
#if defined(CONFIG_TIMER_CMSDK20)
    return (ticks * 25u + 64u) / 128u;
#else
    return (ticks * 5u + 16u) / 32u;
#endif
}
#elif defined(CONFIG_TIMER_SSE)
/* SSE system counter, counting up at 32 MHz: 8.192 ticks per instruction at 256 ns each. */
static void timer_start(void)
{
    REGISTER(CONFIG_TIMER + 0x0u) = 1u;
}

static uint32_t timer_read(void)
{
    return REGISTER(CONFIG_TIMER + 0x8u);
}

static uint64_t instructions(uint64_t ticks)
{
    return (ticks * 125u + 512u) / 1024u;
}
#else
#error "config.h names no timer"
#endif

void port_init(void)
{
    UART_BAUDDIV = 16u;
    UART_CTRL = 3u;
    DEMCR = DEMCR_TRCENA;
    DWT_CTRL = 1u;
    const uint32_t before = DWT_CYCCNT;
    cyccnt_counts = DWT_CYCCNT != before;
    if (!cyccnt_counts) {
        timer_start();
    }
    last_reading = cyccnt_counts ? DWT_CYCCNT : timer_read();
    elapsed = 0;
}

int port_getc(void)
{
    while ((UART_STATE & UART_RX_WAITING) == 0u) {
    }
    return (int)(UART_DATA & 0xffu);
}

void port_putc(char c)
{
    while ((UART_STATE & UART_TX_FULL) != 0u) {
    }
    UART_DATA = (uint8_t)c;
}

/* The counters are 32 bits wide; 64 as long as this is called once per turn of them (a turn: 2^32 instructions under
 * Unicorn, 6.7e8 under QEMU). */
uint64_t port_ticks(void)
{
    const uint32_t reading = cyccnt_counts ? DWT_CYCCNT : timer_read();
    elapsed += (uint32_t)(reading - last_reading);
    last_reading = reading;
    return cyccnt_counts ? elapsed : instructions(elapsed);
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

/* The second LED stands for the pin. */
void port_timestamp_edge(void)
{
    REGISTER(CONFIG_MARKER) = 0u;
    REGISTER(CONFIG_MARKER) = 2u;
}

/* And the third. */
void port_detection_edge(void)
{
    REGISTER(CONFIG_MARKER) = 4u;
    REGISTER(CONFIG_MARKER) = 0u;
}

void port_marker(int on)
{
    REGISTER(CONFIG_MARKER) = (uint32_t)on;
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
