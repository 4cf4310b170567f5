/* SPDX-License-Identifier: Apache-2.0 */
/* What a port of firmware with slots must do, held against a board that stands in: `check CAUSE` is one start. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"
#include "serving.h"
#include "slots.h"
#include "slots_port.h"
#include "stand_in.h"

#define BYTES (2u * CONFIG_SECTOR_BYTES + 2u * CONFIG_SLOT_BYTES)
#define ROUNDS 300
#define TICKS(ms) ((uint32_t)((uint64_t)(ms)*CONFIG_TICK_HZ / 1000u))

void serving_fault(uint32_t pc)
{
    exit((int)pc);
}

static uint8_t *mirror;

static void compare(void)
{
    assert(memcmp(mirror, port_flash_at(CONFIG_JOURNAL_0), BYTES) == 0);
}

static void check_flash(void)
{
    mirror = malloc(BYTES);
    memcpy(mirror, port_flash_at(CONFIG_JOURNAL_0), BYTES);
    const uint32_t sectors = BYTES / CONFIG_SECTOR_BYTES;
    for (int round = 0; round < ROUNDS; ++round) {
        const uint32_t sector = (uint32_t)rand() % sectors * CONFIG_SECTOR_BYTES;
        assert(port_flash_erase(CONFIG_JOURNAL_0 + sector) == 0);
        memset(mirror + sector, 0xff, CONFIG_SECTOR_BYTES);
        for (int pieces = 0; pieces < 4; ++pieces) {
            const uint32_t units = CONFIG_SECTOR_BYTES / CONFIG_UNIT_BYTES;
            const uint32_t first = (uint32_t)rand() % units;
            const uint32_t count = 1u + (uint32_t)rand() % (units - first < 40u ? units - first : 40u);
            static uint8_t data[40 * CONFIG_UNIT_BYTES];
            for (uint32_t i = 0; i < count * CONFIG_UNIT_BYTES; ++i) {
                data[i] = (uint8_t)rand();
                mirror[sector + first * CONFIG_UNIT_BYTES + i] &= data[i];
            }
            assert(port_flash_program(CONFIG_JOURNAL_0 + sector + first * CONFIG_UNIT_BYTES, data,
                                      count * CONFIG_UNIT_BYTES) == 0);
        }
        compare();
    }
    static const uint8_t zeros[CONFIG_UNIT_BYTES];
    assert(port_flash_program(CONFIG_JOURNAL_0, zeros, CONFIG_UNIT_BYTES - 1u) != 0);
    assert(port_flash_erase(0) != 0);
    compare();
}

static uint32_t prove(const ts_image *image, uint32_t slot)
{
    (void)image;
    (void)slot;
    return TS_PROVED;
}

/* An upload by units of this flash, which is refused, and remembered over a start. */
static void check_slots(void)
{
    static const ts_slots_layout layout = {{CONFIG_SLOT_0, CONFIG_SLOT_1},
                                           CONFIG_SLOT_BYTES,
                                           {CONFIG_JOURNAL_0, CONFIG_JOURNAL_1},
                                           CONFIG_SECTOR_BYTES,
                                           CONFIG_UNIT_BYTES};
    static const ts_slots_port port = {port_flash_erase, port_flash_program, port_flash_at, prove};
    static const ts_slots_cause cause = {TS_REASON_RESET, 0};
    static uint8_t image[3000];
    uint8_t digest[TS_SHA256_BYTES];
    ts_sha256 state;
    ts_slots slots = {.layout = &layout, .port = &port};
    ts_sha256_start(&state);
    ts_sha256_add(&state, image, sizeof image);
    ts_sha256_finish(&state, digest);
    assert(ts_slots_start(&slots, &cause) == TS_SLOTS_DONE);
    assert(ts_slots_begin(&slots, sizeof image, digest) == TS_SLOTS_DONE);
    for (uint32_t done = 0; done < sizeof image;) {
        const uint32_t left = (uint32_t)sizeof image - done;
        const uint32_t count = left < 512u ? left : 512u;
        assert(ts_slots_receive(&slots, done, image + done, count) == TS_SLOTS_DONE);
        done += count;
    }
    assert(memcmp(port_flash_at(CONFIG_SLOT_0), image, sizeof image) == 0);
    assert(ts_slots_take(&slots) == TS_SLOTS_REFUSED);
    ts_slots again = {.layout = &layout, .port = &port};
    assert(ts_slots_start(&again, &cause) == TS_SLOTS_DONE);
    assert(again.record.phase[0] == TS_SLOT_REFUSED && again.record.reason[0] == TS_IMAGE_NO_HEADER);
}

static void check_watchdog(void)
{
    for (int round = 0; round < 3; ++round) {
        port_watchdog(TICKS(5000));
        assert(stand_in_pass_ms(4000) == 0);
        port_watchdog(0);
        assert(stand_in_pass_ms(60000) == 0);
    }
    port_watchdog(TICKS(5000));
    assert(stand_in_pass_ms(4900) == 0);
    assert(stand_in_pass_ms(4000) == 1);
}

static void check_random(void)
{
    uint8_t a[32], b[32], guard = 7;
    assert(port_random(a, 31) == 0 && port_random(b, 31) == 0);
    assert(memcmp(a, b, 31) != 0 && guard == 7);
}

int main(int count, char **arguments)
{
    const int cause = count > 1 ? atoi(arguments[1]) : 0;
    stand_in_flash(CONFIG_JOURNAL_0 & ~0xfffu, BYTES, CONFIG_SECTOR_BYTES, STAND_IN_UNIT);
    stand_in_reset_by(cause);
#ifdef STAND_IN_SCRATCH
    stand_in_scratch(cause);
#endif
    assert((int)port_why_reset() == cause);
    stand_in_reset_by(0);
    assert((int)port_why_reset() == cause); /* asked twice, it is the same start */
    port_watch_faults();
    check_flash();
    check_slots();
    check_random();
    assert(port_baud(460800) == 0 && stand_in_rate == 460800);
    check_watchdog();
    puts("right");
    fflush(stdout);
    port_reset();
}
