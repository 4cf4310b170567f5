/* SPDX-License-Identifier: Apache-2.0 */
/* The model behind the serial protocol. */
#include "src/port.h"
#include "src/protocol.h"

void setup()
{
    port_init();
    protocol_start();
}

void loop()
{
    const int c = port_getc();
    if (c >= 0) {
        protocol_receive((char)c);
    }
}
