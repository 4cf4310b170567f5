/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STAND_IN_RESETREASON_H
#define STAND_IN_RESETREASON_H

#include <stdint.h>

typedef enum {
    RESET_REASON_POWER_ON,
    RESET_REASON_PIN_RESET,
    RESET_REASON_BROWN_OUT,
    RESET_REASON_SOFTWARE,
    RESET_REASON_WATCHDOG,
    RESET_REASON_LOCKUP,
    RESET_REASON_WAKE_LOW_POWER,
    RESET_REASON_ACCESS_ERROR,
    RESET_REASON_BOOT_ERROR,
    RESET_REASON_MULTIPLE,
    RESET_REASON_PLATFORM,
    RESET_REASON_UNKNOWN
} reset_reason_t;

namespace mbed
{

class ResetReason
{
  public:
    static reset_reason_t get();
    static uint32_t get_raw();
};

} // namespace mbed

#endif
