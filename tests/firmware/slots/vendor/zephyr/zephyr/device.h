/* SPDX-License-Identifier: Apache-2.0 */
/* As much of Zephyr 3.7 as the port calls, with its signatures. */
#ifndef STAND_IN_ZEPHYR_DEVICE_H
#define STAND_IN_ZEPHYR_DEVICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct device {
    const char *name;
};

extern const struct device stand_in_watchdog0, stand_in_zephyr_console;
#define DT_ALIAS(alias) alias
#define DT_CHOSEN(chosen) chosen
#define DEVICE_DT_GET(node) (&DEVICE_OF(node))
#define DEVICE_OF(node) stand_in_##node

#endif
