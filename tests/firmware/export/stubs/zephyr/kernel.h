/* SPDX-License-Identifier: Apache-2.0 */
/* What the sample uses of Zephyr; it ends after the first inference. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
static inline uint32_t k_cycle_get_32(void)
{
    return 0;
}
static inline uint32_t k_cyc_to_us_near32(uint32_t cycles)
{
    return cycles;
}
static inline void k_msleep(int32_t ms)
{
    (void)ms;
    exit(0);
}
