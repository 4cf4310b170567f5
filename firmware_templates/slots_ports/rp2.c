/* SPDX-License-Identifier: Apache-2.0 */
/* Flash, watchdog, reset, randomness and the line's rate of RP2040 and RP2350 (pico-sdk 2). Compiled against headers
 * with the SDK's signatures, not run on a board. */
#include <stdbool.h>

#include "hardware/exception.h"
#include "hardware/flash.h"
#include "hardware/uart.h"
#include "hardware/watchdog.h"
#include "pico/flash.h"
#include "pico/rand.h"

#include "config.h"
#include "serving.h"
#include "slots_port.h"

#define SAFE_TIMEOUT_MS 100u
#define MOST_WATCHDOG_MS 8000u /* of RP2040, whose counter runs twice as fast as it says */
#define SOFTWARE_RESET 0x74735253u
#define SCRATCH 0 /* the bootrom uses 4 to 7 */

typedef struct {
    uint32_t offset;
    const uint8_t *page; /* NULL: erase the sector */
} operation;

static void carry_out(void *wanted)
{
    const operation *const what = wanted;
    if (what->page == NULL) {
        flash_range_erase(what->offset, FLASH_SECTOR_SIZE);
    } else {
        flash_range_program(what->offset, what->page, FLASH_PAGE_SIZE);
    }
}

/* Nothing may run from flash meanwhile, on either core. */
static int safely(operation what)
{
    return flash_safe_execute(carry_out, &what, SAFE_TIMEOUT_MS) != PICO_OK;
}

int port_flash_erase(uint32_t address)
{
    if (address < XIP_BASE || address % FLASH_SECTOR_SIZE != 0u) {
        return 1;
    }
    return safely((operation){address - XIP_BASE, NULL});
}

/* The flash takes whole pages. A bit that is programmed as one stays as it is: the rest of a page is ones. */
int port_flash_program(uint32_t address, const uint8_t *bytes, uint32_t count)
{
    static uint8_t page[FLASH_PAGE_SIZE]; /* in RAM: flash can't be read while it is programmed */
    if (address < XIP_BASE || address % CONFIG_UNIT_BYTES != 0u || count % CONFIG_UNIT_BYTES != 0u) {
        return 1;
    }
    const uint32_t offset = address - XIP_BASE;
    for (uint32_t done = 0; done < count;) {
        const uint32_t at = (offset + done) % FLASH_PAGE_SIZE;
        uint32_t here = FLASH_PAGE_SIZE - at;
        if (here > count - done) {
            here = count - done;
        }
        for (uint32_t i = 0; i < FLASH_PAGE_SIZE; ++i) {
            page[i] = i >= at && i < at + here ? bytes[done + i - at] : 0xffu;
        }
        if (safely((operation){offset + done - at, page}) != 0) {
            return 1;
        }
        done += here;
    }
    return 0;
}

const uint8_t *port_flash_at(uint32_t address)
{
    return (const uint8_t *)(uintptr_t)address;
}

void port_watchdog(uint32_t ticks)
{
    if (ticks == 0u) {
        watchdog_disable();
        return;
    }
    const uint64_t ms = (uint64_t)ticks * 1000u / CONFIG_TICK_HZ;
    watchdog_enable(ms < MOST_WATCHDOG_MS ? (uint32_t)ms + 1u : MOST_WATCHDOG_MS, true);
}

void port_reset(void)
{
    watchdog_hw->scratch[SCRATCH] = SOFTWARE_RESET;
    watchdog_reboot(0, 0, 0);
    for (;;) {
    }
}

port_reset_cause port_why_reset(void)
{
    static bool is_known;
    static port_reset_cause cause;
    if (!is_known) {
        is_known = true;
        if (watchdog_hw->scratch[SCRATCH] == SOFTWARE_RESET) {
            cause = PORT_SOFTWARE_RESET;
        } else if (watchdog_enable_caused_reboot()) {
            cause = PORT_WATCHDOG;
        } else {
            cause = PORT_POWER_ON;
        }
        watchdog_hw->scratch[SCRATCH] = 0;
    }
    return cause;
}

int port_baud(uint32_t rate)
{
#if LIB_PICO_STDIO_UART
    uart_tx_wait_blocking(uart_default);
    const uint32_t reached = uart_set_baudrate(uart_default, rate);
    const uint32_t off = reached > rate ? reached - rate : rate - reached;
    return off > rate / 50u; /* 2 %: what a UART at the other end can bear with */
#else
    (void)rate;
    return 0; /* USB has none */
#endif
}

int port_random(uint8_t *to, uint32_t count)
{
    for (uint32_t i = 0; i < count; i += 4u) {
        const uint32_t word = get_rand_32();
        for (uint32_t k = 0; k < 4u && i + k < count; ++k) {
            to[i + k] = (uint8_t)(word >> (8u * k));
        }
    }
    return 0;
}

#if defined(__arm__)

#define FAULT_FRAME_PC 6

void port_faulted(const uint32_t *frame)
{
    serving_fault(frame[FAULT_FRAME_PC]);
}

__attribute__((naked)) static void on_fault(void)
{
    __asm__ volatile("mrs r0, msp            \n"
                     "ldr r1, =port_faulted  \n"
                     "bx  r1                 \n");
}

#elif defined(__riscv)

static void on_fault(void)
{
    uint32_t pc;
    __asm__ volatile("csrr %0, mepc" : "=r"(pc));
    serving_fault(pc);
}

#endif

void port_watch_faults(void)
{
#if defined(__arm__)
    (void)exception_set_exclusive_handler(HARDFAULT_EXCEPTION, on_fault);
#elif defined(__riscv)
    /* Of RP2350's RISC-V cores: each way in which a model's code can fail. */
    static const enum exception_number kinds[] = {INSTR_ALIGN_EXCEPTION, INSTR_FAULT_EXCEPTION, INSTR_ILLEGAL_EXCEPTION,
                                                  LOAD_ALIGN_EXCEPTION,  LOAD_FAULT_EXCEPTION,  STORE_ALIGN_EXCEPTION,
                                                  STORE_FAULT_EXCEPTION};
    for (uint32_t i = 0; i < sizeof kinds / sizeof kinds[0]; ++i) {
        (void)exception_set_exclusive_handler(kinds[i], on_fault);
    }
#endif
}
