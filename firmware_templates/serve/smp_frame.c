/* SPDX-License-Identifier: Apache-2.0 */
#include "smp_frame.h"

#include "port.h"

#define LINE_RAW_BYTES 90u /* that 120 characters of base64 hold */
#define START_1 0x06u
#define START_2 0x09u
#define MORE_1 0x04u
#define MORE_2 0x14u
#define BAD 0xffu
#define OVERHEAD 4u /* length and check */

typedef enum { TEXT, AFTER_START, AFTER_MORE, IN_LINE, SKIPPING } line_state;

static uint8_t buffer[SMP_PACKET_BYTES + OVERHEAD];
static uint32_t filled;
static line_state state;
static int is_open; /* a packet's first line has come */
static uint32_t bits, bit_count, padding;

static uint16_t crc16(uint16_t crc, uint8_t byte)
{
    crc = (uint16_t)(crc ^ byte << 8);
    for (int i = 0; i < 8; ++i) {
        crc = (uint16_t)((crc & 0x8000u) != 0u ? crc << 1 ^ 0x1021 : crc << 1);
    }
    return crc;
}

static uint16_t crc16_of(const uint8_t *bytes, uint32_t count)
{
    uint16_t crc = 0;
    for (uint32_t i = 0; i < count; ++i) {
        crc = crc16(crc, bytes[i]);
    }
    return crc;
}

static uint32_t sextet(uint8_t c)
{
    if (c >= 'A' && c <= 'Z') {
        return c - 'A';
    }
    if (c >= 'a' && c <= 'z') {
        return c - 'a' + 26u;
    }
    if (c >= '0' && c <= '9') {
        return c - '0' + 52u;
    }
    return c == '+' ? 62u : c == '/' ? 63u : BAD;
}

void smp_frame_reset(void)
{
    state = TEXT;
    is_open = 0;
    filled = 0;
}

static void begin_line(int first)
{
    if (first) {
        filled = 0;
        is_open = 1;
    }
    bits = 0;
    bit_count = 0;
    padding = 0;
    state = is_open ? IN_LINE : SKIPPING; /* a line that goes on where nothing began: its start was lost */
}

static void drop(void)
{
    is_open = 0;
    state = SKIPPING;
}

static void take_character(uint8_t c)
{
    if (c == '=') {
        padding++;
        return;
    }
    const uint32_t value = sextet(c);
    if (value == BAD || padding > 0u) {
        drop();
        return;
    }
    bits = bits << 6 | value;
    bit_count += 6u;
    if (bit_count >= 8u) {
        bit_count -= 8u;
        if (filled == sizeof buffer) {
            drop();
            return;
        }
        buffer[filled++] = (uint8_t)(bits >> bit_count);
    }
}

/* A line has ended: the packet may be whole. */
static void end_line(void)
{
    state = TEXT;
    if (!is_open || filled < 2u) {
        is_open = 0;
        return;
    }
    const uint32_t announced = (uint32_t)buffer[0] << 8 | buffer[1];
    if (announced < 2u || announced > SMP_PACKET_BYTES + 2u || filled > announced + 2u) {
        is_open = 0;
        return;
    }
    if (filled < announced + 2u) {
        return; /* more lines are to come */
    }
    is_open = 0;
    if (crc16_of(buffer + 2, announced) == 0u) { /* of a packet with its check */
        smp_packet(buffer + 2, announced - 2u);
    }
}

int smp_frame_receive(uint8_t c)
{
    switch (state) {
    case TEXT:
        if (c == START_1 || c == MORE_1) {
            state = c == START_1 ? AFTER_START : AFTER_MORE;
            return 1;
        }
        return 0;
    case AFTER_START:
    case AFTER_MORE:
        if (c == (state == AFTER_START ? START_2 : MORE_2)) {
            begin_line(state == AFTER_START);
            return 1;
        }
        state = TEXT;
        return 0;
    default:
        break;
    }
    if (c == START_1 || c == MORE_1) {
        is_open = is_open && c == MORE_1 && state != SKIPPING;
        state = c == START_1 ? AFTER_START : AFTER_MORE; /* the line's end was lost */
    } else if (c == '\n') {
        if (state == SKIPPING) {
            state = TEXT;
        } else {
            end_line();
        }
    } else if (state == IN_LINE && c != '\r') {
        take_character(c);
    } else if (c == '%' && state == SKIPPING) {
        state = TEXT; /* a command's end: what was skipped was text */
    }
    return 1;
}

static void send_character(uint32_t value)
{
    port_putc("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"[value & 63u]);
}

static void send_triple(const uint8_t *bytes, uint32_t count)
{
    const uint32_t second = count > 1u ? bytes[1] : 0u;
    const uint32_t third = count > 2u ? bytes[2] : 0u;
    send_character((uint32_t)bytes[0] >> 2);
    send_character((uint32_t)bytes[0] << 4 | second >> 4);
    if (count > 1u) {
        send_character(second << 2 | third >> 6);
    } else {
        port_putc('=');
    }
    if (count > 2u) {
        send_character(third);
    } else {
        port_putc('=');
    }
}

/* Byte `at` of what goes over the line: length, packet, check. */
static uint8_t framed(const uint8_t *packet, uint32_t bytes, uint16_t crc, uint32_t at)
{
    if (at < 2u) {
        return (uint8_t)(at == 0u ? (bytes + 2u) >> 8 : bytes + 2u);
    }
    return at < bytes + 2u ? packet[at - 2u] : (uint8_t)(at == bytes + 2u ? crc >> 8 : crc);
}

void smp_frame_send(const uint8_t *packet, uint32_t bytes)
{
    const uint16_t crc = crc16_of(packet, bytes);
    const uint32_t total = bytes + OVERHEAD;
    for (uint32_t at = 0; at < total;) {
        port_putc((char)(at == 0u ? START_1 : MORE_1));
        port_putc((char)(at == 0u ? START_2 : MORE_2));
        for (uint32_t end = at + LINE_RAW_BYTES; at < end && at < total; at += 3u) {
            uint8_t triple[3];
            uint32_t count = 0;
            for (; count < 3u && at + count < total; ++count) {
                triple[count] = framed(packet, bytes, crc, at + count);
            }
            send_triple(triple, count);
        }
        port_putc('\n');
    }
}
