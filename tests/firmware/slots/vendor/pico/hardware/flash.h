/* SPDX-License-Identifier: Apache-2.0 */
/* As much of pico-sdk 2 as the port calls, with its signatures. */
#ifndef STAND_IN_HARDWARE_FLASH_H
#define STAND_IN_HARDWARE_FLASH_H

#include <stddef.h>
#include <stdint.h>

#define FLASH_PAGE_SIZE (1u << 8)
#define FLASH_SECTOR_SIZE (1u << 12)
#define XIP_BASE 0x10000000u

void flash_range_erase(uint32_t flash_offs, size_t count);
void flash_range_program(uint32_t flash_offs, const uint8_t *data, size_t count);

#endif
