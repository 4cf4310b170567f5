/* SPDX-License-Identifier: Apache-2.0 */
/* A small firmware that shows what devices must handle: one-letter commands, each answered by a line or a failure.
 *
 *   e<text>%  echoes text          c<n>%  instructions that a loop of n turns takes (hex)
 *   f%  overwrites flash           u%  undefined instruction     a%  unaligned load
 *   j%  jumps into nowhere         s%  recurses without end      h%  hangs
 *   g%  a line of garbage bytes    p%  half a line, then waits   i%  reads the clock in a conditional block
 *   m%  a marked stretch           b%  a line of 100,000 bytes
 */
#include <stdint.h>

#define REGISTER(address) (*(volatile uint32_t *)(uintptr_t)(address))
#define BYTE(address) (*(volatile uint8_t *)(uintptr_t)(address))
#define NOINLINE __attribute__((noinline))

extern uint32_t __stack_top[];
void Reset_Handler(void);
uint32_t counted_loop(uint32_t turns);

#ifdef __riscv
#define UART 0x10000000u
static int received(void)
{
    return BYTE(UART + 5u) & 1u;
}
static uint8_t get(void)
{
    while (!received()) {
    }
    return BYTE(UART);
}
static void put(uint8_t byte)
{
    while (!(BYTE(UART + 5u) & 0x20u)) {
    }
    BYTE(UART) = byte;
}
static void mark(uint32_t on)
{
    BYTE(UART + 7u) = (uint8_t)on;
}
static int in_unicorn;
static uint32_t shift;
static uint32_t clock_read(void)
{
    uint32_t low;
    if (in_unicorn) {
        return REGISTER(0x0200BFF8u);
    }
    __asm volatile("csrr %0, 0xb02" : "=r"(low)); /* minstret */
    return low;
}
/* QEMU before version 9 counts nanoseconds there, 256 per instruction; a few instructions lie between two readings. */
static void clock_start(void)
{
    in_unicorn = BYTE(UART + 7u) == 0x75u;
    const uint32_t before = clock_read();
    shift = !in_unicorn && clock_read() - before >= 256u ? 8u : 0u;
}
static uint32_t instructions(uint32_t from, uint32_t to)
{
    return (to - from) >> shift;
}

__attribute__((naked, section(".vectors"))) void Reset_Handler(void)
{
    __asm volatile("la sp, __stack_top\n j main_loop\n");
}
/* Two instructions per turn, and the return. */
__attribute__((naked, noinline)) uint32_t counted_loop(uint32_t turns)
{
    __asm volatile(".option norvc\n 1: addi a0, a0, -1\n bnez a0, 1b\n ret\n");
}
#define UNDEFINED __asm volatile(".word 0")
#else
#define UART 0x40004000u
#define TIMER 0x40000000u
#define CYCCNT REGISTER(0xE0001004u)
static uint8_t get(void)
{
    while (!(REGISTER(UART + 4u) & 2u)) {
    }
    return (uint8_t)REGISTER(UART);
}
static void put(uint8_t byte)
{
    while (REGISTER(UART + 4u) & 1u) {
    }
    REGISTER(UART) = byte;
}
static void mark(uint32_t on)
{
    REGISTER(0x40028000u) = on;
}
static int in_unicorn;
static void clock_start(void)
{
    REGISTER(UART + 0x10u) = 16u;
    REGISTER(UART + 8u) = 3u;
    REGISTER(0xE000EDFCu) = 1u << 24;
    REGISTER(0xE0001000u) = 1u;
    uint32_t before = CYCCNT;
    in_unicorn = CYCCNT != before;
    if (!in_unicorn) {
        REGISTER(TIMER + 8u) = 0xffffffffu;
        REGISTER(TIMER + 4u) = 0xffffffffu;
        REGISTER(TIMER) = 1u;
    }
}
static uint32_t clock_read(void)
{
    return in_unicorn ? CYCCNT : ~REGISTER(TIMER + 4u);
}
static uint32_t instructions(uint32_t from, uint32_t to)
{
    return in_unicorn ? to - from : ((to - from) * 5u + 16u) >> 5;
}
__attribute__((section(".vectors"), used)) static const uintptr_t vectors[16] = {
    (uintptr_t)__stack_top,
    (uintptr_t)Reset_Handler,
};
__attribute__((naked, noreturn)) void Reset_Handler(void)
{
    __asm volatile("bl main_loop\n");
}
/* Two instructions per turn, and the return. */
__attribute__((naked, noinline)) uint32_t counted_loop(uint32_t turns)
{
    __asm volatile(".syntax unified\n 1: subs r0, r0, #1\n bne 1b\n bx lr\n");
}
#define UNDEFINED __asm volatile("udf #0")
#endif

static void put_text(const char *text)
{
    while (*text) {
        put((uint8_t)*text++);
    }
}
static void put_hex(uint32_t value)
{
    for (int shift = 28; shift >= 0; shift -= 4) {
        uint32_t digit = value >> shift & 15u;
        put((uint8_t)(digit < 10u ? '0' + digit : 'a' + digit - 10u));
    }
    put_text("\r\n");
}

static uint32_t count(uint32_t turns)
{
    uint32_t start = clock_read();
    uint32_t middle = clock_read();
    counted_loop(turns);
    uint32_t end = clock_read();
    return instructions(middle, end) - instructions(start, middle);
}

NOINLINE void write_to_flash(void)
{
    REGISTER((uintptr_t)Reset_Handler & ~3u) = 1u;
}
NOINLINE void load_unaligned(void)
{
    volatile uint32_t *odd = (volatile uint32_t *)((uintptr_t)__stack_top - 15u);
    (void)*odd;
}
NOINLINE void undefined_instruction(void)
{
    UNDEFINED;
}
NOINLINE uint32_t recurse(volatile uint32_t *above)
{
    volatile uint32_t here[64];
    here[0] = *above + 1u;
    return recurse(here) + here[0];
}
NOINLINE void jump_away(void)
{
    ((void (*)(void))0x60000001u)();
}
NOINLINE void hang(void)
{
    for (volatile uint32_t i = 0;; i++) {
    }
}

/* The clock between conditional instructions: what follows the read must still depend on the condition. */
NOINLINE uint32_t conditional_clock(uint32_t flag)
{
    uint32_t result = 0;
#if defined(__ARM_ARCH_ISA_THUMB) && __ARM_ARCH_ISA_THUMB == 2
    __asm volatile(
        ".syntax unified\n cmp %1, #1\n ittte eq\n moveq %0, #1\n ldreq r3, [%2]\n addeq %0, #2\n movne %0, #64\n"
        : "+r"(result)
        : "r"(flag), "r"(0xE0001004u)
        : "r3", "cc");
#else
    result = flag == 1u ? 3u : 64u;
#endif
    return result;
}

static uint32_t number(const char *text)
{
    uint32_t value = 0;
    for (; *text >= '0' && *text <= '9'; text++) {
        value = (value << 3) + (value << 1) + (uint32_t)(*text - '0');
    }
    return value;
}

static void marked(void)
{
    mark(1);
    uint32_t start = clock_read();
    counted_loop(1000);
    uint32_t end = clock_read();
    mark(0);
    put_hex(instructions(start, end));
}

static void obey(const char *command)
{
    uint32_t deep = 0;
    switch (command[0]) {
    case 'e':
        put_text(command + 1);
        put_text("\r\n");
        break;
    case 'c':
        put_hex(count(number(command + 1)));
        break;
    case 'f':
        write_to_flash();
        put_text("survived\r\n");
        break;
    case 'u':
        undefined_instruction();
        break;
    case 'a':
        load_unaligned();
        put_text("survived\r\n");
        break;
    case 'j':
        jump_away();
        break;
    case 's':
        put_hex(recurse(&deep));
        break;
    case 'h':
        hang();
        break;
    case 'g':
        put(0xffu);
        put(0x01u);
        put_text("\x80garbage\n");
        break;
    case 'p':
        put_text("half");
        break;
    case 'i':
        put_hex(conditional_clock(1) + (conditional_clock(0) << 8));
        break;
    case 'm':
        marked();
        break;
    case 'b':
        for (uint32_t i = 0; i < 100000u; i++) {
            put('b');
        }
        put_text("\r\n");
        break;
    default:
        put_text("unknown\r\n");
        break;
    }
}

__attribute__((noreturn, used)) void main_loop(void);
__attribute__((noreturn, used)) void main_loop(void)
{
    char command[256];
    uint32_t used = 0;
    clock_start();
    put_text("ready\r\n");
    for (;;) {
        char byte = (char)get();
        if (byte == '%') {
            command[used] = 0;
            used = 0;
            obey(command);
        } else if (used < sizeof command - 1u) {
            command[used++] = byte;
        }
    }
}
