/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <stdlib.h>
#include <zephyr/device.h>
#include <zephyr/drivers/hwinfo.h>
#include <zephyr/drivers/uart.h>
#include <zephyr/drivers/watchdog.h>
#include <zephyr/kernel.h>
#include <zephyr/random/random.h>
#include <zephyr/storage/flash_map.h>
#include <zephyr/sys/reboot.h>

#include "config.h"
#include "stand_in.h"

#define PARTITION_BYTES (2u * CONFIG_SECTOR_BYTES + 2u * CONFIG_SLOT_BYTES)

const struct device stand_in_watchdog0, stand_in_zephyr_console;
static const struct flash_area partition = {STAND_IN_ID_slots_partition, 0, 0, PARTITION_BYTES, NULL};
static struct k_timer *timer;

int flash_area_open(uint8_t id, const struct flash_area **fa)
{
    assert(id == STAND_IN_ID_slots_partition);
    *fa = &partition;
    return 0;
}
int flash_area_write(const struct flash_area *fa, off_t off, const void *src, size_t len)
{
    assert(fa == &partition && off >= 0);
    stand_in_program(CONFIG_JOURNAL_0 + (uint32_t)off, src, (uint32_t)len);
    return 0;
}
int flash_area_erase(const struct flash_area *fa, off_t off, size_t len)
{
    assert(fa == &partition && off >= 0);
    stand_in_erase(CONFIG_JOURNAL_0 + (uint32_t)off, (uint32_t)len);
    return 0;
}
uint32_t flash_area_align(const struct flash_area *fa)
{
    (void)fa;
    return CONFIG_UNIT_BYTES;
}
uint8_t flash_area_erased_val(const struct flash_area *fa)
{
    (void)fa;
    return 0xff;
}

static uint32_t installed;
int wdt_install_timeout(const struct device *dev, const struct wdt_timeout_cfg *cfg)
{
    assert(dev == &stand_in_watchdog0 && installed == 0 && cfg->window.min == 0);
    installed = cfg->window.max;
    return 0;
}
int wdt_setup(const struct device *dev, uint8_t options)
{
    assert(dev == &stand_in_watchdog0 && installed != 0 && options == WDT_OPT_PAUSE_HALTED_BY_DBG);
    stand_in_watchdog(installed);
    return 0;
}
int wdt_feed(const struct device *dev, int channel_id)
{
    assert(dev == &stand_in_watchdog0 && channel_id == 0);
    stand_in_kick();
    return 0;
}
static void expire(void)
{
    timer->expiry_fn(timer);
}
void k_timer_start(struct k_timer *started, k_timeout_t duration, k_timeout_t period)
{
    assert(duration.ticks == period.ticks);
    timer = started;
    stand_in_timer(expire, (uint32_t)period.ticks);
}
void k_busy_wait(uint32_t usec_to_wait)
{
    assert(usec_to_wait > 0);
}
int hwinfo_get_reset_cause(uint32_t *cause)
{
    static const uint32_t kinds[] = {RESET_POR, RESET_SOFTWARE, RESET_WATCHDOG};
    *cause = kinds[stand_in_cause()];
    return 0;
}
int hwinfo_clear_reset_cause(void)
{
    return 0;
}
int sys_csrand_get(void *dst, size_t len)
{
    for (size_t i = 0; i < len; ++i) {
        ((uint8_t *)dst)[i] = (uint8_t)(stand_in_random() >> 24);
    }
    return 0;
}
int uart_config_get(const struct device *dev, struct uart_config *cfg)
{
    assert(dev == &stand_in_zephyr_console);
    *cfg = (struct uart_config){.baudrate = 115200, .data_bits = 3};
    return 0;
}
int uart_configure(const struct device *dev, const struct uart_config *cfg)
{
    assert(dev == &stand_in_zephyr_console && cfg->data_bits == 3);
    stand_in_baud(cfg->baudrate);
    return 0;
}
void sys_reboot(int type)
{
    assert(type == SYS_REBOOT_COLD);
    exit(3);
}
