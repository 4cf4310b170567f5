/* SPDX-License-Identifier: Apache-2.0 */
/* What runs around the models of a sweep's image: inputs in, outputs kept, and how the image starts and reports. */
#include <stdint.h>

extern const uint8_t inputs[];
uint8_t results[RESULT_BYTES];
static const uint8_t *next_input = inputs;
static uint8_t *next_result = results;

static void take(void *to, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        ((volatile uint8_t *)to)[i] = *next_input++;
    }
}

static void put(const void *from, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        *next_result++ = ((const volatile uint8_t *)from)[i];
    }
}

static void put_status(int status)
{
    *next_result++ = (uint8_t)status;
}

#if defined(ON_HOST)

#include <stdio.h>
void run_all(void);
static void report(void)
{
    fwrite(results, 1, RESULT_BYTES, stdout);
}
int main(void)
{
    run_all();
    return 0;
}

#elif defined(SEMIHOSTING)

#include "m55_start.h"
static void report(void)
{
    const struct {
        const char *name;
        uint32_t mode, length;
    } open = {":tt", 4, 3};
    register uint32_t r0 __asm("r0") = 1;
    register const void *r1 __asm("r1") = &open;
    __asm volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
    const struct {
        uint32_t handle;
        const uint8_t *data;
        uint32_t count;
    } written = {r0, results, RESULT_BYTES};
    semihost(5, &written);
    semihost(0x18, (const void *)0x20026);
}

#else

void run_all(void);
void finished(void);
__attribute__((noinline, used)) void finished(void)
{
    for (;;) {
        __asm volatile("");
    }
}
static void report(void)
{
    finished();
}
void start(void);
void start(void)
{
    run_all();
}

#endif
