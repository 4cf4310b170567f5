/* SPDX-License-Identifier: Apache-2.0 */
/* Runs the model once on a ramp and prints the bytes of its first output. */
#include <stdio.h>

#include "kws.h"

int main(void)
{
    ts_kws_init();
    uint8_t *input = ts_kws_input(0);
    for (uint32_t i = 0; i < TS_KWS_INPUT_0_BYTES; i++) {
        input[i] = (uint8_t)(i * 31 + 7);
    }
    if (ts_kws_invoke() != 0) {
        return 1;
    }
    const uint8_t *output = ts_kws_output(0);
    for (uint32_t i = 0; i < TS_KWS_OUTPUT_0_BYTES; i++) {
        printf("%02x", output[i]);
    }
    printf("\n");
    return 0;
}
