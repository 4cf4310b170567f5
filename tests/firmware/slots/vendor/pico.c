/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <stdlib.h>

#include "hardware/exception.h"
#include "hardware/flash.h"
#include "hardware/uart.h"
#include "hardware/watchdog.h"
#include "pico/flash.h"
#include "pico/rand.h"

#include "stand_in.h"

static int is_safe;
static watchdog_hw_t registers;
watchdog_hw_t *const watchdog_hw = &registers;
uart_inst_t *const uart_default = NULL;

void flash_range_erase(uint32_t flash_offs, size_t count)
{
    assert(is_safe);
    stand_in_erase(XIP_BASE + flash_offs, (uint32_t)count);
}
void flash_range_program(uint32_t flash_offs, const uint8_t *data, size_t count)
{
    assert(is_safe && ((uintptr_t)data < XIP_BASE || (uintptr_t)data > XIP_BASE + 0x1000000u));
    stand_in_program(XIP_BASE + flash_offs, data, (uint32_t)count);
}
int flash_safe_execute(void (*func)(void *), void *param, uint32_t enter_exit_timeout_ms)
{
    assert(enter_exit_timeout_ms > 0);
    is_safe = 1;
    func(param);
    is_safe = 0;
    return PICO_OK;
}
void watchdog_reboot(uint32_t pc, uint32_t sp, uint32_t delay_ms)
{
    assert(pc == 0 && sp == 0 && delay_ms == 0);
    exit(3);
}
void watchdog_enable(uint32_t delay_ms, bool pause_on_debug)
{
    assert(delay_ms <= 8388 && pause_on_debug);
    stand_in_watchdog(delay_ms);
}
void watchdog_disable(void)
{
    stand_in_watchdog(0);
}
/* What the last start of this board has left in it. */
void stand_in_scratch(int cause)
{
    registers.scratch[0] = cause == 1 ? 0x74735253u : 0u;
}
bool watchdog_enable_caused_reboot(void)
{
    return stand_in_cause() == 2;
}
uint32_t get_rand_32(void)
{
    return stand_in_random();
}
exception_handler_t exception_set_exclusive_handler(enum exception_number num, exception_handler_t handler)
{
    (void)num;
    assert(handler != NULL);
    return NULL;
}
uint uart_set_baudrate(uart_inst_t *uart, uint baudrate)
{
    (void)uart;
    stand_in_baud(baudrate);
    return baudrate + baudrate / 200;
}
void uart_tx_wait_blocking(uart_inst_t *uart)
{
    (void)uart;
}
