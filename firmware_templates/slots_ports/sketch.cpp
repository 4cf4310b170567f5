/* SPDX-License-Identifier: Apache-2.0 */
/* Firmware whose model comes from a slot, as an Arduino sketch. */
#include <Arduino.h>

extern "C" {
#include "line_rate.h"
#include "port.h"
#include "protocol.h"
#include "serving.h"
#include "slots_port.h"
#include "smp_frame.h"
}

void setup()
{
    port_init();
    port_watch_faults();
    smp_frame_reset();
    serving_start();
    protocol_start();
}

void loop()
{
    const int c = port_getc();
    if (c < 0) {
        return;
    }
    line_rate_received((uint8_t)c);
    if (!smp_frame_receive((uint8_t)c)) {
        protocol_receive((char)c);
    }
}
