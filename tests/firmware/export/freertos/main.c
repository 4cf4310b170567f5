/* SPDX-License-Identifier: Apache-2.0 */
/* Two models in two tasks of FreeRTOS. DELAYS 1: each gives way after each layer; 0: the tick's interrupt takes the
 * processor from them. A third task prints the first output of each round. */
#include <stdint.h>

#include "FreeRTOS.h"
#include "kws.h"
#include "task.h"
#include "vww.h"

#define ROUNDS 200
#define STACK_WORDS 512
#define WRITE0 0x04 /* semihosting */
#define EXIT 0x18
#define DONE ((const void *)0x20026)
#define FAILED ((const void *)0x20023)

#define MODEL(name, NAME)                                                                                              \
    static _Alignas(TS_##NAME##_ARENA_ALIGNMENT) uint8_t name##_arena[TS_##NAME##_ARENA_BYTES];                        \
    static ts_##name name;                                                                                             \
    static int8_t name##_first[ROUNDS];                                                                                \
    static volatile int name##_done;                                                                                   \
    static void name##_task(void *unused)                                                                              \
    {                                                                                                                  \
        (void)unused;                                                                                                  \
        configASSERT(ts_##name##_init(&name, name##_arena) == 0);                                                      \
        for (int round = 0; round < ROUNDS; round++) {                                                                 \
            int8_t *const input = ts_##name##_input(&name, 0);                                                         \
            for (uint32_t i = 0; i < TS_##NAME##_INPUT_0_BYTES; i++) {                                                 \
                input[i] = (int8_t)(round % 4);                                                                        \
            }                                                                                                          \
            while (!ts_##name##_step(&name, 1)) {                                                                      \
                if (DELAYS) {                                                                                          \
                    vTaskDelay(1);                                                                                     \
                }                                                                                                      \
            }                                                                                                          \
            name##_first[round] = *(const int8_t *)ts_##name##_output(&name, 0);                                       \
        }                                                                                                              \
        name##_done = 1;                                                                                               \
        vTaskSuspend(NULL);                                                                                            \
    }
MODEL(kws, KWS)
MODEL(vww, VWW)

static void semihosting(int operation, const void *argument)
{
    register int r0 __asm("r0") = operation;
    register const void *r1 __asm("r1") = argument;
    __asm volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
}

void failed(const char *why)
{
    semihosting(WRITE0, why);
    semihosting(EXIT, FAILED);
    for (;;) {
    }
}

static void number(int value, const char *behind)
{
    char text[12];
    int at = sizeof text - 1;
    unsigned left = value < 0 ? 0u - (unsigned)value : (unsigned)value;
    text[at] = 0;
    do {
        text[--at] = (char)('0' + left % 10u);
        left /= 10u;
    } while (left != 0u);
    if (value < 0) {
        text[--at] = '-';
    }
    semihosting(WRITE0, text + at);
    semihosting(WRITE0, behind);
}

static void report(void *unused)
{
    (void)unused;
    while (!kws_done || !vww_done) {
        vTaskDelay(1);
    }
    for (int round = 0; round < ROUNDS; round++) {
        number(kws_first[round], " ");
        number(vww_first[round], "\n");
    }
    semihosting(EXIT, DONE);
}

void vApplicationStackOverflowHook(TaskHandle_t task, char *name)
{
    (void)task;
    failed(name);
}

int main(void)
{
    xTaskCreate(kws_task, "kws", STACK_WORDS, NULL, 1, NULL);
    xTaskCreate(vww_task, "vww", STACK_WORDS, NULL, 1, NULL);
    xTaskCreate(report, "report", STACK_WORDS, NULL, 2, NULL);
    vTaskStartScheduler();
    failed("no memory for the tasks\n");
}

extern uint32_t _estack, _sidata, _sdata, _edata, _sbss, _ebss;
void SVC_Handler(void);
void PendSV_Handler(void);
void SysTick_Handler(void);

static void fault(void)
{
    failed("a fault\n");
}

void reset(void)
{
    const uint32_t *from = &_sidata;
    for (uint32_t *to = &_sdata; to < &_edata; to++) {
        *to = *from++;
    }
    for (uint32_t *to = &_sbss; to < &_ebss; to++) {
        *to = 0;
    }
    main();
}

__attribute__((section(".vectors"), used)) static void (*const vectors[16])(void) = {
    (void (*)(void)) & _estack,
    reset,
    fault,
    fault,
    fault,
    fault,
    fault,
    0,
    0,
    0,
    0,
    SVC_Handler,
    fault,
    0,
    PendSV_Handler,
    SysTick_Handler,
};
