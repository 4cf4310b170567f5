/* SPDX-License-Identifier: Apache-2.0 */
/* A board as the vendor's functions show it: flash that only clears bits, a watchdog, a clock that the check moves on.
 */
#ifndef STAND_IN_H
#define STAND_IN_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

void stand_in_flash(uint32_t first, uint32_t bytes, uint32_t sector, uint32_t unit);
void stand_in_erase(uint32_t address, uint32_t bytes);
void stand_in_program(uint32_t address, const uint8_t *data, uint32_t bytes);
int stand_in_pass_ms(uint32_t ms); /* 1: the watchdog has bitten */
void stand_in_reset_by(int cause); /* a port_reset_cause, for the next start */

/* What the vendors' stand-ins tell the board. */
void stand_in_watchdog(uint32_t ms); /* 0: off */
void stand_in_kick(void);
void stand_in_timer(void (*expired)(void), uint32_t every_ms);
int stand_in_cause(void);
uint32_t stand_in_random(void);
void stand_in_baud(uint32_t rate);
void stand_in_scratch(int cause);
extern uint32_t stand_in_rate;

#ifdef __cplusplus
}
#endif

#endif
