/* SPDX-License-Identifier: Apache-2.0 */
/* Firmware: the model behind the serial protocol. The same for every board. */
#include "port.h"
#include "protocol.h"

int main(void)
{
    port_init();
    protocol_start();
    for (int c = port_getc(); c >= 0; c = port_getc()) {
        protocol_receive((char)c);
    }
    return 0;
}
