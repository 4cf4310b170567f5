/* SPDX-License-Identifier: Apache-2.0 */
/* Flash map, watchdog, reset, randomness and the line's rate of Zephyr 3.7 and later. The devicetree has a partition
 * with the label slots_partition over journal and slots, and an alias watchdog0. Compiled against headers with Zephyr's
 * signatures, not run on a board. */
#include <zephyr/device.h>
#include <zephyr/drivers/hwinfo.h>
#include <zephyr/drivers/uart.h>
#include <zephyr/drivers/watchdog.h>
#include <zephyr/fatal.h>
#include <zephyr/kernel.h>
#include <zephyr/random/random.h>
#include <zephyr/storage/flash_map.h>
#include <zephyr/sys/reboot.h>

#include "config.h"
#include "serving.h"
#include "slots_port.h"

#define FIRST CONFIG_JOURNAL_0 /* the partition's first byte, where the processor sees it */
#define KICK_MS 500
#define WATCHDOG_MS 2000u

static const struct device *const watchdog = DEVICE_DT_GET(DT_ALIAS(watchdog0));
static const struct device *const console = DEVICE_DT_GET(DT_CHOSEN(zephyr_console));
static int channel = -1;
static volatile bool is_armed;
static volatile uint32_t left_ms;

static const struct flash_area *area(void)
{
    static const struct flash_area *opened;
    if (opened == NULL && flash_area_open(FIXED_PARTITION_ID(slots_partition), &opened) != 0) {
        opened = NULL;
    }
    return opened;
}

static bool is_inside(const struct flash_area *to, uint32_t address, uint32_t count)
{
    return to != NULL && address >= FIRST && address - FIRST <= to->fa_size && count <= to->fa_size - (address - FIRST);
}

int port_flash_erase(uint32_t address)
{
    const struct flash_area *const to = area();
    if (!is_inside(to, address, CONFIG_SECTOR_BYTES) || flash_area_erased_val(to) != 0xffu) {
        return 1;
    }
    return flash_area_erase(to, (off_t)(address - FIRST), CONFIG_SECTOR_BYTES) != 0;
}

int port_flash_program(uint32_t address, const uint8_t *bytes, uint32_t count)
{
    const struct flash_area *const to = area();
    if (!is_inside(to, address, count) || CONFIG_UNIT_BYTES % flash_area_align(to) != 0u ||
        count % CONFIG_UNIT_BYTES != 0u) {
        return 1;
    }
    return flash_area_write(to, (off_t)(address - FIRST), bytes, count) != 0;
}

const uint8_t *port_flash_at(uint32_t address)
{
    return (const uint8_t *)(uintptr_t)address;
}

/* Many watchdogs can't be stopped once they run. So it runs for good, and is fed from a timer; an inference that takes
 * too long is no longer fed for. */
static void feed(struct k_timer *timer)
{
    (void)timer;
    if (!is_armed || left_ms > KICK_MS) {
        if (is_armed) {
            left_ms = left_ms - KICK_MS;
        }
        (void)wdt_feed(watchdog, channel);
    }
}

K_TIMER_DEFINE(feeder, feed, NULL);

void port_watchdog(uint32_t ticks)
{
    is_armed = false;
    if (ticks == 0u) {
        return;
    }
    if (channel < 0) {
        const struct wdt_timeout_cfg config = {
            .window = {.min = 0u, .max = WATCHDOG_MS}, .callback = NULL, .flags = WDT_FLAG_RESET_SOC};
        channel = wdt_install_timeout(watchdog, &config);
        if (channel < 0 || wdt_setup(watchdog, WDT_OPT_PAUSE_HALTED_BY_DBG) != 0) {
            return;
        }
        k_timer_start(&feeder, K_MSEC(KICK_MS), K_MSEC(KICK_MS));
    }
    left_ms = (uint32_t)((uint64_t)ticks * 1000u / CONFIG_TICK_HZ);
    is_armed = true;
}

void port_reset(void)
{
    sys_reboot(SYS_REBOOT_COLD);
    CODE_UNREACHABLE;
}

port_reset_cause port_why_reset(void)
{
    static bool is_known;
    static port_reset_cause cause;
    if (!is_known) {
        uint32_t seen = 0;
        is_known = true;
        if (hwinfo_get_reset_cause(&seen) == 0) {
            (void)hwinfo_clear_reset_cause();
        }
        if ((seen & RESET_WATCHDOG) != 0u) {
            cause = PORT_WATCHDOG;
        } else {
            cause = (seen & RESET_SOFTWARE) != 0u ? PORT_SOFTWARE_RESET : PORT_POWER_ON;
        }
    }
    return cause;
}

int port_baud(uint32_t rate)
{
    struct uart_config config;
    if (uart_config_get(console, &config) != 0) {
        return 1;
    }
    config.baudrate = rate;
    k_busy_wait(2u * 10u * 1000000u / 9600u); /* two characters, which a poll-driven UART may still hold */
    return uart_configure(console, &config) != 0;
}

int port_random(uint8_t *to, uint32_t count)
{
    return sys_csrand_get(to, count) != 0;
}

void port_watch_faults(void)
{
    /* The kernel's handler is replaced below. */
}

void k_sys_fatal_error_handler(unsigned int reason, const struct arch_esf *frame)
{
    (void)reason;
#if defined(CONFIG_RISCV)
    serving_fault(frame != NULL ? (uint32_t)frame->mepc : 0u);
#else
    serving_fault(frame != NULL ? frame->basic.pc : 0u);
#endif
}
