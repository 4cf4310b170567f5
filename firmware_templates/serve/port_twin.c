/* SPDX-License-Identifier: Apache-2.0 */
/* The controller of twins: flash, watchdog and reset. Registers: docs/architecture.md. */
#include "config.h"
#include "slots_port.h"

#define REGISTER(offset) (*(volatile uint32_t *)(uintptr_t)(CONFIG_CONTROLLER + (offset)))
#define FLASH_ADDRESS REGISTER(0x00u)
#define FLASH_PROGRAM REGISTER(0x04u)
#define FLASH_ERASE REGISTER(0x08u)
#define FLASH_STATUS REGISTER(0x0cu)
#define WATCHDOG REGISTER(0x10u)
#define RESET REGISTER(0x14u)
#define CAUSE REGISTER(0x18u)
#define BAUD REGISTER(0x1cu)
#define RANDOM REGISTER(0x20u)

int port_flash_erase(uint32_t address)
{
    FLASH_ERASE = address;
    return FLASH_STATUS != 0u;
}

int port_flash_program(uint32_t address, const uint8_t *bytes, uint32_t count)
{
    for (uint32_t i = 0; i + 4u <= count; i += 4u) {
        const uint32_t word = (uint32_t)bytes[i] | (uint32_t)bytes[i + 1u] << 8 | (uint32_t)bytes[i + 2u] << 16 |
                              (uint32_t)bytes[i + 3u] << 24;
        FLASH_ADDRESS = address + i;
        FLASH_PROGRAM = word;
        if (FLASH_STATUS != 0u) {
            return 1;
        }
    }
    return count % 4u != 0u;
}

const uint8_t *port_flash_at(uint32_t address)
{
    return (const uint8_t *)(uintptr_t)address;
}

void port_watchdog(uint32_t ticks)
{
    WATCHDOG = ticks;
}

void port_reset(void)
{
    for (;;) {
        RESET = 1u;
    }
}

port_reset_cause port_why_reset(void)
{
    return (port_reset_cause)CAUSE;
}

int port_baud(uint32_t rate)
{
    BAUD = rate;
    return 0;
}

int port_random(uint8_t *to, uint32_t count)
{
    for (uint32_t i = 0; i < count; ++i) {
        to[i] = (uint8_t)RANDOM;
    }
    return 0;
}

void port_watch_faults(void)
{
    /* the vector table's handlers do so from the start */
}
