/* SPDX-License-Identifier: Apache-2.0 */
/* Flash, watchdog, reset, randomness and the line's rate of Mbed OS 6 (Arduino's mbed cores: nRF52840,
 * STM32H7). Compiled against headers with Mbed's signatures, not run on a board. */
#include <Arduino.h>
#include <drivers/FlashIAP.h>
#include <drivers/ResetReason.h>
#include <drivers/Ticker.h>
#include <drivers/Watchdog.h>
#include <mbed.h>

#include <chrono>

#include "config.h"

extern "C" {
#include "serving.h"
#include "slots_port.h"
}

#if !DEVICE_FLASH || !DEVICE_WATCHDOG || !DEVICE_RESET_REASON
#error "firmware with slots needs a target whose device_has lists FLASH, WATCHDOG and RESET_REASON"
#endif

#if DEVICE_TRNG
#include <hal/trng_api.h>
#endif

#define KICK_MS 500u
#define WATCHDOG_MS 2000u
#define FAULT_FRAME_PC 6

static mbed::FlashIAP flash;
static mbed::Ticker kicker;
static bool flash_is_ready;
static volatile bool is_armed;
static volatile uint32_t left_ms;

static bool ready()
{
    flash_is_ready = flash_is_ready || flash.init() == 0;
    return flash_is_ready;
}

/* A sector of another size, or flash that erases to zeros, is another board's. */
extern "C" int port_flash_erase(uint32_t address)
{
    if (!ready() || flash.get_sector_size(address) != CONFIG_SECTOR_BYTES || flash.get_erase_value() != 0xffu) {
        return 1;
    }
    return flash.erase(address, CONFIG_SECTOR_BYTES) != 0;
}

extern "C" int port_flash_program(uint32_t address, const uint8_t *bytes, uint32_t count)
{
    if (!ready() || CONFIG_UNIT_BYTES % flash.get_page_size() != 0u || count % CONFIG_UNIT_BYTES != 0u) {
        return 1;
    }
    return flash.program(bytes, address, count) != 0;
}

extern "C" const uint8_t *port_flash_at(uint32_t address)
{
    return reinterpret_cast<const uint8_t *>(static_cast<uintptr_t>(address));
}

/* Most watchdogs can't be stopped once they run. So it runs for good, and is kicked from an interrupt; an inference
 * that takes too long is no longer kicked for. */
static void kick()
{
    if (!is_armed || left_ms > KICK_MS) {
        if (is_armed) {
            left_ms = left_ms - KICK_MS;
        }
        mbed::Watchdog::get_instance().kick();
    }
}

extern "C" void port_watchdog(uint32_t ticks)
{
    is_armed = false;
    if (ticks == 0u) {
        return;
    }
    mbed::Watchdog &watchdog = mbed::Watchdog::get_instance();
    if (!watchdog.is_running()) {
        watchdog.start(WATCHDOG_MS);
        kicker.attach(kick, std::chrono::milliseconds(KICK_MS));
    }
    left_ms = static_cast<uint32_t>(static_cast<uint64_t>(ticks) * 1000u / CONFIG_TICK_HZ);
    is_armed = true;
}

extern "C" void port_reset(void)
{
    NVIC_SystemReset();
}

extern "C" port_reset_cause port_why_reset(void)
{
    static bool is_known;
    static port_reset_cause cause;
    if (!is_known) { /* reading it clears it */
        is_known = true;
        switch (mbed::ResetReason::get()) {
        case RESET_REASON_WATCHDOG:
            cause = PORT_WATCHDOG;
            break;
        case RESET_REASON_SOFTWARE:
            cause = PORT_SOFTWARE_RESET;
            break;
        default:
            cause = PORT_POWER_ON;
            break;
        }
    }
    return cause;
}

extern "C" int port_baud(uint32_t rate)
{
    Serial.flush();
    Serial.begin(rate);
    return 0;
}

extern "C" int port_random(uint8_t *to, uint32_t count)
{
#if DEVICE_TRNG
    static trng_t source;
    static bool is_started;
    if (!is_started) {
        trng_init(&source);
        is_started = true;
    }
    for (uint32_t done = 0; done < count;) {
        size_t drawn = 0;
        if (trng_get_bytes(&source, to + done, count - done, &drawn) != 0 || drawn == 0u) {
            return 1;
        }
        done += static_cast<uint32_t>(drawn);
    }
    return 0;
#else
    (void)to;
    (void)count;
    return 1; /* no source: a line that needs one stays closed */
#endif
}

/* From the fault handler's frame. The model's code runs on the main thread's stack, which is the process stack. */
extern "C" void port_faulted(const uint32_t *frame)
{
    serving_fault(frame[FAULT_FRAME_PC]);
}

#if defined(__arm__)
__attribute__((naked)) static void on_fault()
{
    __asm__ volatile("movs r0, #4      \n"
                     "mov  r1, lr      \n"
                     "tst  r0, r1      \n"
                     "beq  1f          \n"
                     "mrs  r0, psp     \n"
                     "b    2f          \n"
                     "1: mrs r0, msp   \n"
                     "2: ldr r1, =port_faulted \n"
                     "bx   r1          \n");
}
#endif

extern "C" void port_watch_faults(void)
{
#if defined(__arm__)
    NVIC_SetVector(HardFault_IRQn, reinterpret_cast<uintptr_t>(on_fault) | 1u);
#endif
}
