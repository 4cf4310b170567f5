/* SPDX-License-Identifier: Apache-2.0 */
/* What a port provides: the board-specific part of the firmware, as thin as it can be. */
#ifndef PORT_H
#define PORT_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

void port_init(void);
int port_getc(void); /* waits for a byte; -1: the line is closed for good */
void port_putc(char c);
uint64_t port_ticks(void);           /* counts up from any start, in the unit that config.h names */
uint32_t port_clock_hz(void);        /* of the processor, as its own software knows it; 0: unknown */
uint32_t port_counted_tick_hz(void); /* ticks per second as counted at start by another clock; 0: there is none */
uint64_t port_timestamp_us(void);
void port_timestamp_edge(void); /* a time stamp in energy mode: a pin falls, and rises again at once */
void port_detection_edge(void); /* a streaming model has heard its word: a pin rises, and falls again at once */
/* Visible to meters and emulators: 1 right before, 0 right after what is measured; 2 before more of the same. */
void port_marker(int on);
uint32_t port_stack_size(void); /* 0: unknown, then the next one means nothing */
uint32_t port_stack_used(void); /* high-water since reset, bytes */

#ifdef __cplusplus
}
#endif

#endif
