/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STAND_IN_PICO_RAND_H
#define STAND_IN_PICO_RAND_H

#include <stdint.h>

uint32_t get_rand_32(void);

#endif
