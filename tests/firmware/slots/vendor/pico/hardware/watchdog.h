/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STAND_IN_HARDWARE_WATCHDOG_H
#define STAND_IN_HARDWARE_WATCHDOG_H

#include <stdbool.h>
#include <stdint.h>

typedef struct {
    volatile uint32_t ctrl;
    volatile uint32_t load;
    volatile uint32_t reason;
    volatile uint32_t scratch[8];
} watchdog_hw_t;
extern watchdog_hw_t *const watchdog_hw;

void watchdog_reboot(uint32_t pc, uint32_t sp, uint32_t delay_ms);
void watchdog_enable(uint32_t delay_ms, bool pause_on_debug);
void watchdog_disable(void);
bool watchdog_caused_reboot(void);
bool watchdog_enable_caused_reboot(void);

#endif
