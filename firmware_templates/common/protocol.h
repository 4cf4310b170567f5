/* SPDX-License-Identifier: Apache-2.0 */
/* The device's side of the serial protocol: MLPerf Tiny's commands and the ts- commands. */
#ifndef PROTOCOL_H
#define PROTOCOL_H

#define PROTOCOL_LINE_BYTES 1100u /* the longest command: "db " and 512 bytes in hex fit */

#ifdef __cplusplus
extern "C" {
#endif

void protocol_start(void);     /* initialises the model and says that the device is ready */
void protocol_receive(char c); /* takes one character; runs the command when it is complete */

void protocol_forget(void); /* another model is there: inputs and results are gone */

#ifdef __cplusplus
}
#endif

#endif
