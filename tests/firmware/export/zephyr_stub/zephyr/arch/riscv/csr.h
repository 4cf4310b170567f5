/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ZEPHYR_CSR_H
#define ZEPHYR_CSR_H

#include <stdint.h>

uint32_t stub_csr_mcycle(void);
#define csr_read(csr) stub_csr_##csr()

#endif
