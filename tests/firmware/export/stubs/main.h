/* SPDX-License-Identifier: Apache-2.0 */
/* What CubeMX's main.h brings of CMSIS: registers of the core's cycle counter. */
#include <stdint.h>
typedef struct {
    volatile uint32_t CTRL, CYCCNT;
} DWT_Type;
typedef struct {
    volatile uint32_t DEMCR;
} CoreDebug_Type;
extern DWT_Type dwt;
extern CoreDebug_Type core_debug;
#define DWT (&dwt)
#define CoreDebug (&core_debug)
#define DWT_CTRL_CYCCNTENA_Msk 1u
#define CoreDebug_DEMCR_TRCENA_Msk (1u << 24)
