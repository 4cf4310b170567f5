/* SPDX-License-Identifier: Apache-2.0 */
/* What a port provides beside port.h for firmware with slots. */
#ifndef SLOTS_PORT_H
#define SLOTS_PORT_H

#include <stdint.h>

/* PORT_WOKEN: from a sleep that kept the RAM. */
typedef enum { PORT_POWER_ON = 0, PORT_SOFTWARE_RESET = 1, PORT_WATCHDOG = 2, PORT_WOKEN = 3 } port_reset_cause;

int port_flash_erase(uint32_t address);                                         /* a sector; 0 on success */
int port_flash_program(uint32_t address, const uint8_t *bytes, uint32_t count); /* whole units; 0 on success */
const uint8_t *port_flash_at(uint32_t address);
void port_watchdog(uint32_t ticks); /* resets after that many of CONFIG_TICK_UNIT; 0: never */
void port_reset(void) __attribute__((noreturn));
int port_baud(uint32_t rate);                 /* of the line, when all that was sent has left; 0 on success */
int port_random(uint8_t *to, uint32_t count); /* that nobody can foresee; 0 on success, 1 where there is no source */
port_reset_cause port_why_reset(void);        /* this start */
void port_watch_faults(void);                 /* from now on a fault goes to serving_fault */

#endif
