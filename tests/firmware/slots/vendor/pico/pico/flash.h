/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STAND_IN_PICO_FLASH_H
#define STAND_IN_PICO_FLASH_H

#include <stdint.h>

enum { PICO_OK = 0, PICO_ERROR_TIMEOUT = -2, PICO_ERROR_NOT_PERMITTED = -4 };

int flash_safe_execute(void (*func)(void *), void *param, uint32_t enter_exit_timeout_ms);

#endif
