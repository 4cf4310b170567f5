/* SPDX-License-Identifier: Apache-2.0 */
/* As much of Mbed OS 6 as the port calls, with its signatures; what it does is in mbed.cpp beside this directory. */
#ifndef STAND_IN_MBED_H
#define STAND_IN_MBED_H

#include <stddef.h>
#include <stdint.h>

#define DEVICE_FLASH 1
#define DEVICE_WATCHDOG 1
#define DEVICE_RESET_REASON 1
#define DEVICE_TRNG 1

typedef enum { HardFault_IRQn = -13 } IRQn_Type;
extern "C" void NVIC_SetVector(IRQn_Type irq, uint32_t vector);
extern "C" void NVIC_SystemReset(void) __attribute__((noreturn));

#endif
