/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STAND_IN_FLASHIAP_H
#define STAND_IN_FLASHIAP_H

#include <stdint.h>

namespace mbed
{

class FlashIAP
{
  public:
    constexpr FlashIAP()
    {
    }
    int init();
    int deinit();
    int read(void *buffer, uint32_t addr, uint32_t size);
    int program(const void *buffer, uint32_t addr, uint32_t size);
    int erase(uint32_t addr, uint32_t size);
    uint32_t get_sector_size(uint32_t addr) const;
    uint32_t get_flash_start() const;
    uint32_t get_flash_size() const;
    uint32_t get_page_size() const;
    uint8_t get_erase_value() const;
};

} // namespace mbed

#endif
