/* SPDX-License-Identifier: Apache-2.0 */
/* libFuzzer target: any bytes are commands. The port is a sink; the model is the real one of the host build. */
#include <stddef.h>
#include <stdint.h>

#include "port.h"
#include "protocol.h"

static size_t written;

void port_init(void)
{
}
int port_getc(void)
{
    return -1;
}
void port_putc(char c)
{
    written += (size_t)(c != 0);
}
uint64_t port_ticks(void)
{
    return written;
}
uint64_t port_timestamp_us(void)
{
    return written;
}
uint32_t port_clock_hz(void)
{
    return 1;
}
uint32_t port_counted_tick_hz(void)
{
    return 1;
}
void port_timestamp_edge(void)
{
}
void port_detection_edge(void)
{
}
void port_marker(int on)
{
    (void)on;
}
uint32_t port_stack_size(void)
{
    return 1;
}
uint32_t port_stack_used(void)
{
    return 1;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    protocol_start();
    for (size_t i = 0; i < size; i++) {
        protocol_receive((char)data[i]);
    }
    const size_t before = written;
    protocol_receive('%');
    if (written == before) {
        __builtin_trap(); /* every command is answered */
    }
    return 0;
}
