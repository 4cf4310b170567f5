/* SPDX-License-Identifier: Apache-2.0 */
#include <Arduino.h>
#include <drivers/FlashIAP.h>
#include <drivers/ResetReason.h>
#include <drivers/Ticker.h>
#include <drivers/Watchdog.h>
#include <hal/trng_api.h>
#include <mbed.h>

#include <cassert>
#include <cstdlib>

#include "config.h"
#include "stand_in.h"

static bool is_flash_on, is_watchdog_on;
static void (*ticked)();

int mbed::FlashIAP::init()
{
    is_flash_on = true;
    return 0;
}
int mbed::FlashIAP::program(const void *buffer, uint32_t addr, uint32_t size)
{
    assert(is_flash_on);
    stand_in_program(addr, static_cast<const uint8_t *>(buffer), size);
    return 0;
}
int mbed::FlashIAP::erase(uint32_t addr, uint32_t size)
{
    assert(is_flash_on);
    stand_in_erase(addr, size);
    return 0;
}
uint32_t mbed::FlashIAP::get_sector_size(uint32_t addr) const
{
    return addr < CONFIG_JOURNAL_0 ? 0xffffffffu : CONFIG_SECTOR_BYTES;
}
uint32_t mbed::FlashIAP::get_page_size() const
{
    return CONFIG_UNIT_BYTES;
}
uint8_t mbed::FlashIAP::get_erase_value() const
{
    return 0xff;
}

reset_reason_t mbed::ResetReason::get()
{
    static const reset_reason_t kinds[] = {RESET_REASON_PIN_RESET, RESET_REASON_SOFTWARE, RESET_REASON_WATCHDOG};
    return kinds[stand_in_cause()];
}

static void tick()
{
    ticked();
}
mbed::Ticker::Ticker()
{
}
void mbed::TickerBase::attach(Callback<void()> func, std::chrono::microseconds t)
{
    ticked = func.function();
    stand_in_timer(tick, static_cast<uint32_t>(t.count() / 1000));
}

mbed::Watchdog &mbed::Watchdog::get_instance()
{
    static Watchdog instance;
    return instance;
}
bool mbed::Watchdog::start(uint32_t timeout)
{
    assert(!is_watchdog_on);
    is_watchdog_on = true;
    stand_in_watchdog(timeout);
    return true;
}
bool mbed::Watchdog::is_running() const
{
    return is_watchdog_on;
}
void mbed::Watchdog::kick()
{
    stand_in_kick();
}

void trng_init(trng_t *obj)
{
    obj->unused = 1;
}
int trng_get_bytes(trng_t *obj, uint8_t *output, size_t length, size_t *output_length)
{
    assert(obj->unused == 1);
    *output_length = length < 3 ? length : 3; /* fewer than were asked for, as hardware may give */
    for (size_t i = 0; i < *output_length; ++i) {
        output[i] = static_cast<uint8_t>(stand_in_random() >> 24);
    }
    return 0;
}

void HardwareSerial::begin(unsigned long baud)
{
    stand_in_baud(static_cast<uint32_t>(baud));
}
void HardwareSerial::flush()
{
}
static HardwareSerial serial;
HardwareSerial &Serial = serial;

void NVIC_SetVector(IRQn_Type irq, uint32_t vector)
{
    assert(irq == HardFault_IRQn && vector != 0);
}
void NVIC_SystemReset()
{
    std::exit(3);
}
