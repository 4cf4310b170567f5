/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STAND_IN_ZEPHYR_REBOOT_H
#define STAND_IN_ZEPHYR_REBOOT_H

#define SYS_REBOOT_WARM 0
#define SYS_REBOOT_COLD 1

extern void sys_reboot(int type) __attribute__((noreturn));

#endif
