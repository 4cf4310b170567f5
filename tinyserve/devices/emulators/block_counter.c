/* SPDX-License-Identifier: Apache-2.0 */
/* Runs inside QEMU as a TCG plugin: counts how often each basic block runs within one function, callees included.
 *
 * Arguments: entry=ADDRESS (hexadecimal, without the Thumb bit). At each return from the function the counts are
 * written to QEMU's log (-d plugin): "begin", a line "ADDRESS INSTRUCTIONS COUNT" per block, in hexadecimal, and
 * "end". Used through tinyserve/devices/block_counter.py.
 *
 * Blocks that touch a device register are started over by QEMU under -icount, and are then counted twice: the function
 * must touch none. Built without libc and without QEMU's header, which no package carries: what is used of the plugin
 * interface is declared here. TS_QEMU_PLUGIN_API is the version of that interface to announce: 1, 2 (the same but for
 * what is not used) or 7, whose callbacks get a pointer of the plugin's instead of its id. */
#include <stddef.h>
#include <stdint.h>

#if defined(_WIN32)
#define TS_EXPORT __declspec(dllexport)
#else
#define TS_EXPORT __attribute__((visibility("default")))
#endif

struct qemu_plugin_tb;
struct qemu_plugin_insn;
#if TS_QEMU_PLUGIN_API >= 7
typedef void (*tb_translated)(struct qemu_plugin_tb *tb, void *user);
#else
typedef void (*tb_translated)(uint64_t id, struct qemu_plugin_tb *tb);
#endif
typedef void (*tb_executed)(unsigned int cpu, void *user);
enum { CALLBACK_READS_NO_REGISTERS = 0 };

#if TS_QEMU_PLUGIN_API >= 7
void qemu_plugin_register_vcpu_tb_trans_cb(uint64_t id, tb_translated callback, void *user);
#else
void qemu_plugin_register_vcpu_tb_trans_cb(uint64_t id, tb_translated callback);
#endif
void qemu_plugin_register_vcpu_tb_exec_cb(struct qemu_plugin_tb *tb, tb_executed callback, int flags, void *user);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *tb);
uint64_t qemu_plugin_tb_vaddr(const struct qemu_plugin_tb *tb);
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *tb, size_t index);
uint64_t qemu_plugin_insn_vaddr(const struct qemu_plugin_insn *instruction);
size_t qemu_plugin_insn_size(const struct qemu_plugin_insn *instruction);
void qemu_plugin_outs(const char *text);

extern TS_EXPORT int qemu_plugin_version;
TS_EXPORT int qemu_plugin_version = TS_QEMU_PLUGIN_API;
TS_EXPORT int qemu_plugin_install(uint64_t id, const void *about, int argc, char **argv);

#define CAPACITY (1u << 16) /* of the table of blocks: a firmware of a megabyte of code has fewer */
#define LINE_BYTES 64u
#define TEXT_BYTES 2048u

/* A straight run of instructions; two runs may start at one address and end at different ones. instructions 0: free. */
typedef struct {
    uint64_t address;
    uint64_t end;
    uint64_t instructions;
    uint64_t count;
} ts_block;

static ts_block blocks[CAPACITY];
static uint32_t used;
static int is_full;
static uint64_t entry;
static int is_inside;
static uint64_t
    call_end; /* where the last block outside ended: behind the call, when the next is the function's first */

static char text[TEXT_BYTES];
static size_t text_length;

static void flush(void)
{
    text[text_length] = '\0';
    qemu_plugin_outs(text);
    text_length = 0;
}

static void put(const char *word)
{
    while (*word != '\0') {
        text[text_length++] = *word++;
    }
}

static void put_hex(uint64_t value)
{
    int shift = 60;
    while (shift > 0 && (value >> shift) == 0u) {
        shift -= 4;
    }
    for (; shift >= 0; shift -= 4) {
        text[text_length++] = "0123456789abcdef"[(value >> shift) & 15u];
    }
}

static void report(void)
{
    put("begin\n");
    for (uint32_t i = 0; i < CAPACITY; i++) {
        if (blocks[i].count != 0u) {
            put_hex(blocks[i].address);
            put(" ");
            put_hex(blocks[i].instructions);
            put(" ");
            put_hex(blocks[i].count);
            put("\n");
        }
        if (text_length + LINE_BYTES > TEXT_BYTES) {
            flush();
        }
    }
    put(is_full ? "full\n" : "end\n");
    flush();
}

static void begin(void)
{
    for (uint32_t i = 0; i < CAPACITY; i++) {
        blocks[i].count = 0;
    }
}

static void on_executed(unsigned int cpu, void *user)
{
    static uint64_t return_address;
    ts_block *const block = user;
    (void)cpu;
    if (!is_inside && block->address == entry) {
        is_inside = 1;
        return_address = call_end;
        begin();
    } else if (is_inside && block->address == return_address) {
        is_inside = 0;
        report();
    }
    if (is_inside) {
        block->count++;
    } else {
        call_end = block->end;
    }
}

/* The entry of a block, made if it is new; NULL where the table is full. A block may be translated many times. */
static ts_block *find(uint64_t address, uint64_t end, uint64_t instructions)
{
    uint64_t i = ((address ^ (end << 20)) * 0x9E3779B97F4A7C15u) >> 40;
    for (;; i++) {
        ts_block *const block = &blocks[i % CAPACITY];
        if (block->instructions == 0u) {
            if (used + 1u >= CAPACITY) {
                return NULL;
            }
            used++;
            *block = (ts_block){address, end, instructions, 0};
            return block;
        }
        if (block->address == address && block->end == end && block->instructions == instructions) {
            return block;
        }
    }
}

static void count_block(struct qemu_plugin_tb *tb)
{
    const size_t instructions = qemu_plugin_tb_n_insns(tb);
    const struct qemu_plugin_insn *const last = qemu_plugin_tb_get_insn(tb, instructions - 1u);
    const uint64_t end = qemu_plugin_insn_vaddr(last) + qemu_plugin_insn_size(last);
    ts_block *const block = find(qemu_plugin_tb_vaddr(tb), end, instructions);
    if (block != NULL) {
        qemu_plugin_register_vcpu_tb_exec_cb(tb, on_executed, CALLBACK_READS_NO_REGISTERS, block);
    } else {
        is_full = 1;
    }
}

#if TS_QEMU_PLUGIN_API >= 7
static void on_translated(struct qemu_plugin_tb *tb, void *user)
{
    (void)user;
    count_block(tb);
}
#else
static void on_translated(uint64_t id, struct qemu_plugin_tb *tb)
{
    (void)id;
    count_block(tb);
}
#endif

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int qemu_plugin_install(uint64_t id, const void *about, int argc, char **argv)
{
    static const char prefix[] = "entry=";
    (void)about;
    const char *at = argc == 1 ? argv[0] : "";
    for (const char *expected = prefix; *expected != '\0'; expected++, at++) {
        if (*at != *expected) {
            return 1;
        }
    }
    for (; hex_digit(*at) >= 0; at++) {
        entry = entry << 4 | (uint64_t)hex_digit(*at);
    }
#if TS_QEMU_PLUGIN_API >= 7
    qemu_plugin_register_vcpu_tb_trans_cb(id, on_translated, NULL);
#else
    qemu_plugin_register_vcpu_tb_trans_cb(id, on_translated);
#endif
    return *at == '\0' ? 0 : 1;
}
