/* SPDX-License-Identifier: Apache-2.0 */
/* Runs inside Unicorn: counts instructions per basic block and is the emulated board's UART and marker.
 *
 * Built as a shared library without libc and used through tinyserve/devices/native.py, which mirrors the layouts.
 * All state is in one ts_monitor that the caller owns, so that any number of emulators run beside each other.
 */
#include <stdint.h>

#if defined(_WIN32)
#define TS_EXPORT __declspec(dllexport)
int DllMainCRTStartup(void *instance, unsigned long reason, void *reserved);
int DllMainCRTStartup(void *instance, unsigned long reason, void *reserved)
{
    (void)instance;
    (void)reason;
    (void)reserved;
    return 1;
}
#else
#define TS_EXPORT __attribute__((visibility("default")))
#endif

/* Why the emulator stops before its next block. Bits: several may hold at once. */
#define STOP_BUDGET 1u  /* total has reached stop_at */
#define STOP_WAITING 2u /* the firmware polled for input, and there is none */
#define STOP_LINE 4u    /* the firmware has sent a line end */
#define STOP_TABLE 8u   /* the block table must grow */
#define STOP_OUTPUT 16u /* the output buffer must be emptied */

/* Firmware that sends polls once per byte; firmware that waits polls again and again. */
#define IDLE_POLLS 3u

#define OUTPUT_SLACK 4096u /* bytes that may still come between the request to stop and the stop */

/* Registers of the CMSDK APB UART and of a 16550. */
#define CMSDK_DATA 0x0u
#define CMSDK_STATE 0x4u
#define CMSDK_STATE_RECEIVED 2u
#define NS16550_DATA 0u
#define NS16550_LSR 5u
#define NS16550_LSR_RECEIVED 1u
#define NS16550_LSR_TRANSMITTER_EMPTY 0x60u
#define NS16550_SCR 7u
#define NS16550_SCR_RESET 0x75u /* tells the firmware that this is not QEMU's UART */

/* A straight run of instructions that was entered `count` times. key: address << 16 | bytes; 0: free slot. */
typedef struct {
    uint64_t key;
    uint64_t count;
    uint64_t instructions;
} ts_block;

typedef struct {
    int (*mem_read)(void *uc, uint64_t address, void *bytes, uint64_t size);
    int (*emu_stop)(void *uc);
    ts_block *blocks;
    uint64_t capacity; /* of blocks, a power of two */
    uint64_t used;
    uint64_t total;   /* instructions executed, those of the block now running included */
    uint64_t stop_at; /* stop when total has reached this */
    ts_block *current;
    const uint8_t *input;
    uint64_t input_size;
    uint64_t input_next;
    uint8_t *output;
    uint64_t output_capacity;
    uint64_t output_size;
    uint32_t stop_reasons;
    uint32_t is_riscv;
    uint32_t marker;
    uint32_t marker_written; /* 0 until the firmware first writes the 16550's SCR */
    uint32_t marked;         /* how often 1 was written to the marker */
    uint32_t parts;          /* how often 1 or 2 was: an inference may be marked in parts */
    uint32_t polls;          /* of the UART's state since a byte last went in or out */
} ts_monitor;

static uint64_t instruction_bytes(const ts_monitor *monitor, void *uc, uint64_t address)
{
    uint8_t code[2] = {0, 0};
    monitor->mem_read(uc, address, code, 2);
    if (monitor->is_riscv) {
        return (code[0] & 3u) == 3u ? 4u : 2u;
    }
    return code[1] >= 0xE8u ? 4u : 2u; /* Thumb: 0b11101, 0b11110 and 0b11111 begin 32-bit instructions */
}

static uint64_t count_instructions(const ts_monitor *monitor, void *uc, uint64_t address, uint64_t bytes)
{
    uint64_t count = 0;
    for (uint64_t at = 0; at < bytes; at += instruction_bytes(monitor, uc, address + at)) {
        count++;
    }
    return count;
}

/* The slot of a key: its entry, or the free slot where it belongs. */
static ts_block *slot(ts_block *blocks, uint64_t capacity, uint64_t key)
{
    uint64_t i = (key * 0x9E3779B97F4A7C15u) >> 24;
    while (blocks[i & (capacity - 1u)].key != key && blocks[i & (capacity - 1u)].key != 0) {
        i++;
    }
    return &blocks[i & (capacity - 1u)];
}

/* The entry of a block, made if it is new. NULL when the table must grow first. */
static ts_block *entry(ts_monitor *monitor, void *uc, uint64_t address, uint64_t bytes)
{
    uint64_t key = (address << 16) | bytes;
    ts_block *block = slot(monitor->blocks, monitor->capacity, key);
    if (block->key == 0) {
        if ((monitor->used + 1u) * 4u > monitor->capacity * 3u) {
            return 0;
        }
        monitor->used++;
        block->instructions = count_instructions(monitor, uc, address, bytes);
        block->key = key;
    }
    return block;
}

/* UC_HOOK_BLOCK. Here alone the emulator is stopped: before the block runs, and the hook is called for it again when
 * the emulator goes on, so it is counted then. (A stop within a register access would repeat the access.) */
TS_EXPORT void ts_monitor_block(void *uc, uint64_t address, uint32_t bytes, void *user)
{
    ts_monitor *monitor = user;
    if (monitor->total >= monitor->stop_at) {
        monitor->stop_reasons |= STOP_BUDGET;
    }
    ts_block *block = entry(monitor, uc, address, bytes);
    if (block == 0) {
        monitor->stop_reasons |= STOP_TABLE;
    }
    if (monitor->stop_reasons != 0) {
        monitor->emu_stop(uc);
        return;
    }
    block->count++;
    monitor->total += block->instructions;
    monitor->current = block;
}

/* The block now running was left before the instruction at `pc`, which the caller carries out itself; the
 * emulator then goes on behind it. Counts what ran, that instruction included. Returns how many instructions
 * had run before it. The caller makes sure that the table has room. */
TS_EXPORT uint64_t ts_monitor_split(ts_monitor *monitor, void *uc, uint64_t pc, uint64_t bytes)
{
    ts_block *whole = monitor->current;
    whole->count--;
    monitor->total -= whole->instructions;
    uint64_t start = whole->key >> 16;
    ts_block *part = entry(monitor, uc, start, pc + bytes - start);
    part->count++;
    monitor->total += part->instructions;
    return monitor->total - 1u;
}

/* Moves the entries to a larger table of `capacity` zeroed slots. */
TS_EXPORT void ts_monitor_grow(ts_monitor *monitor, ts_block *blocks, uint64_t capacity)
{
    for (uint64_t i = 0; i < monitor->capacity; i++) {
        if (monitor->blocks[i].key != 0) {
            *slot(blocks, capacity, monitor->blocks[i].key) = monitor->blocks[i];
        }
    }
    monitor->blocks = blocks;
    monitor->capacity = capacity;
}

static uint64_t input_is_waiting(ts_monitor *monitor)
{
    if (monitor->input_next < monitor->input_size) {
        return 1;
    }
    if (++monitor->polls >= IDLE_POLLS) {
        monitor->stop_reasons |= STOP_WAITING;
    }
    return 0;
}

static uint64_t receive(ts_monitor *monitor)
{
    monitor->polls = 0;
    return monitor->input_next < monitor->input_size ? monitor->input[monitor->input_next++] : 0u;
}

static void send(ts_monitor *monitor, uint8_t byte)
{
    monitor->polls = 0;
    if (monitor->output_size < monitor->output_capacity) {
        monitor->output[monitor->output_size++] = byte;
    }
    if (byte == '\n') {
        monitor->stop_reasons |= STOP_LINE;
    }
    if (monitor->output_size + OUTPUT_SLACK > monitor->output_capacity) {
        monitor->stop_reasons |= STOP_OUTPUT;
    }
}

static void mark(ts_monitor *monitor, uint64_t value)
{
    monitor->marker = (uint32_t)value;
    monitor->marker_written = 1;
    monitor->marked += value == 1u;
    monitor->parts += value != 0u;
}

TS_EXPORT uint64_t ts_monitor_cmsdk_read(void *uc, uint64_t offset, unsigned size, void *user)
{
    (void)uc;
    (void)size;
    if (offset == CMSDK_DATA) {
        return receive(user);
    }
    return offset == CMSDK_STATE && input_is_waiting(user) ? CMSDK_STATE_RECEIVED : 0u;
}

TS_EXPORT void ts_monitor_cmsdk_write(void *uc, uint64_t offset, unsigned size, uint64_t value, void *user)
{
    (void)uc;
    (void)size;
    if (offset == CMSDK_DATA) {
        send(user, (uint8_t)value);
    }
}

TS_EXPORT uint64_t ts_monitor_ns16550_read(void *uc, uint64_t offset, unsigned size, void *user)
{
    ts_monitor *monitor = user;
    (void)uc;
    (void)size;
    switch (offset) {
    case NS16550_DATA:
        return receive(monitor);
    case NS16550_LSR:
        return NS16550_LSR_TRANSMITTER_EMPTY | (input_is_waiting(monitor) ? NS16550_LSR_RECEIVED : 0u);
    case NS16550_SCR:
        return monitor->marker_written ? monitor->marker : NS16550_SCR_RESET;
    default:
        return 0;
    }
}

TS_EXPORT void ts_monitor_ns16550_write(void *uc, uint64_t offset, unsigned size, uint64_t value, void *user)
{
    ts_monitor *monitor = user;
    (void)uc;
    (void)size;
    if (offset == NS16550_DATA) {
        send(monitor, (uint8_t)value);
    } else if (offset == NS16550_SCR) {
        mark(monitor, value);
    }
}

TS_EXPORT uint64_t ts_monitor_marker_read(void *uc, uint64_t offset, unsigned size, void *user)
{
    const ts_monitor *monitor = user;
    (void)uc;
    (void)size;
    return offset == 0 ? monitor->marker : 0u;
}

TS_EXPORT void ts_monitor_marker_write(void *uc, uint64_t offset, unsigned size, uint64_t value, void *user)
{
    ts_monitor *monitor = user;
    (void)uc;
    (void)size;
    if (offset == 0) {
        mark(monitor, value);
    }
}

/* Registers that read zero and take no notice of writes. */
TS_EXPORT uint64_t ts_monitor_zero_read(void *uc, uint64_t offset, unsigned size, void *user)
{
    (void)uc;
    (void)offset;
    (void)size;
    (void)user;
    return 0;
}

TS_EXPORT void ts_monitor_ignore_write(void *uc, uint64_t offset, unsigned size, uint64_t value, void *user)
{
    (void)uc;
    (void)offset;
    (void)size;
    (void)value;
    (void)user;
}
