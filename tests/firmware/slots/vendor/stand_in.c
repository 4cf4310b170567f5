/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "stand_in.h"

#include <assert.h>
#include <sys/mman.h>

static uint32_t flash_first, flash_bytes, flash_sector, flash_unit;
static uint32_t bites_in, period, timer_every, timer_in, draws;
static void (*timer)(void);
static int next_cause;
uint32_t stand_in_rate = 115200;

static uint8_t *at(uint32_t address)
{
    return (uint8_t *)(uintptr_t)address;
}

void stand_in_flash(uint32_t first, uint32_t bytes, uint32_t sector, uint32_t unit)
{
    void *const made =
        mmap(at(first), bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
    assert(made == at(first));
    flash_first = first;
    flash_bytes = bytes;
    flash_sector = sector;
    flash_unit = unit;
    for (uint32_t i = 0; i < bytes; ++i) {
        at(first)[i] = (uint8_t)(i * 7u);
    }
}

void stand_in_erase(uint32_t address, uint32_t bytes)
{
    assert(bytes > 0 && address % flash_sector == 0 && bytes % flash_sector == 0);
    assert(address >= flash_first && address - flash_first <= flash_bytes - bytes);
    for (uint32_t i = 0; i < bytes; ++i) {
        at(address)[i] = 0xff;
    }
}

void stand_in_program(uint32_t address, const uint8_t *data, uint32_t bytes)
{
    assert(bytes > 0 && address % flash_unit == 0 && bytes % flash_unit == 0);
    assert(address >= flash_first && address - flash_first <= flash_bytes - bytes);
    for (uint32_t i = 0; i < bytes; ++i) {
        at(address)[i] &= data[i];
    }
}

int stand_in_pass_ms(uint32_t ms)
{
    for (; ms > 0; --ms) {
        if (timer && --timer_in == 0) {
            timer_in = timer_every;
            timer();
        }
        if (period && --bites_in == 0) {
            return 1;
        }
    }
    return 0;
}

void stand_in_watchdog(uint32_t ms)
{
    period = bites_in = ms;
}
void stand_in_kick(void)
{
    bites_in = period;
}
void stand_in_timer(void (*expired)(void), uint32_t every_ms)
{
    timer = expired;
    timer_every = timer_in = every_ms;
}
void stand_in_reset_by(int cause)
{
    next_cause = cause;
}
int stand_in_cause(void)
{
    return next_cause;
}
uint32_t stand_in_random(void)
{
    return draws += 0x9e3779b9u;
}
void stand_in_baud(uint32_t rate)
{
    stand_in_rate = rate;
}
