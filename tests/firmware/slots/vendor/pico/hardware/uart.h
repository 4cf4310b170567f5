/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STAND_IN_HARDWARE_UART_H
#define STAND_IN_HARDWARE_UART_H

typedef unsigned int uint;
typedef struct uart_inst uart_inst_t;
extern uart_inst_t *const uart_default;

uint uart_set_baudrate(uart_inst_t *uart, uint baudrate);
void uart_tx_wait_blocking(uart_inst_t *uart);

#endif
