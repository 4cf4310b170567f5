/* SPDX-License-Identifier: Apache-2.0 */
/* Firmware: the model behind the serial protocol, as an Arduino sketch. */
#include <Arduino.h>

#include "port.h"
#include "protocol.h"

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
