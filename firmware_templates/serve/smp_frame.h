/* SPDX-License-Identifier: Apache-2.0 */
/* SMP's serial framing (MCUboot, Zephyr): lines of at most 127 characters that begin with 0x06 0x09, or 0x04 0x14 where
 * they go on, and hold base64 of a length, a packet and its CRC-16. Text and frames share a line: no text begins so. */
#ifndef SMP_FRAME_H
#define SMP_FRAME_H

#include <stdint.h>

#define SMP_PACKET_BYTES 1024u /* the longest packet that is taken, and that is sent */

/* Takes a character. 1 where it belonged to a frame, 0 where it is text. A packet that is whole and whose check holds
 * is handed to smp_packet; all else is dropped without an answer, as if it had been lost. */
int smp_frame_receive(uint8_t c);

void smp_frame_reset(void);

/* Sends a packet. */
void smp_frame_send(const uint8_t *packet, uint32_t bytes);

/* Handed every packet. */
void smp_packet(const uint8_t *packet, uint32_t bytes);

#endif
