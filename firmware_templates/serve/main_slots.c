/* SPDX-License-Identifier: Apache-2.0 */
/* Firmware whose model comes from a slot: MLPerf Tiny's text protocol and SMP on one line. */
#include "line_rate.h"
#include "port.h"
#include "protocol.h"
#include "serving.h"
#include "slots_port.h"
#include "smp_frame.h"

int main(void)
{
    port_init();
    port_watch_faults();
    smp_frame_reset();
    serving_start();
    protocol_start();
    for (int c = port_getc(); c >= 0; c = port_getc()) {
        line_rate_received((uint8_t)c);
        if (!smp_frame_receive((uint8_t)c)) {
            protocol_receive((char)c);
        }
    }
    return 0;
}
