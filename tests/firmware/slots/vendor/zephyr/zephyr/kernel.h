/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STAND_IN_ZEPHYR_KERNEL_H
#define STAND_IN_ZEPHYR_KERNEL_H

#include <stdint.h>

#define CODE_UNREACHABLE __builtin_unreachable()

typedef struct {
    int64_t ticks;
} k_timeout_t;
#define K_MSEC(ms) ((k_timeout_t){ms})

struct k_timer;
typedef void (*k_timer_expiry_t)(struct k_timer *timer);
typedef void (*k_timer_stop_t)(struct k_timer *timer);
struct k_timer {
    k_timer_expiry_t expiry_fn;
    k_timer_stop_t stop_fn;
};
#define K_TIMER_DEFINE(name, expiry, stop) static struct k_timer name = {expiry, stop}

void k_timer_start(struct k_timer *timer, k_timeout_t duration, k_timeout_t period);
void k_busy_wait(uint32_t usec_to_wait);

#endif
