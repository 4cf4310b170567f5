/* SPDX-License-Identifier: Apache-2.0 */
/* How fast the line is. A host may ask for another rate; the device goes back to its own where what comes makes no
 * sense, since then the host has not followed, or another one has come. */
#ifndef TS_LINE_RATE_H
#define TS_LINE_RATE_H

#include <stdint.h>

uint32_t line_rate(void);

/* 1 where the port may be able to. */
int line_rate_is_known(uint32_t rate);

/* Takes the rate after the answer that is being made has been sent. */
void line_rate_afterwards(uint32_t rate);

/* After each answer. */
void line_rate_sent(void);

/* With each byte that comes, and with each packet whose check held. */
void line_rate_received(uint8_t c);
void line_rate_proved(void);

#endif
