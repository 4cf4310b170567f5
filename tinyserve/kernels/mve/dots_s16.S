/* SPDX-License-Identifier: Apache-2.0 */
/* Dot products of int16 activations and int8 weights on Helium: 3 pixels times 2 output channels. Armv8.1-M with MVE.
 *
 * A step is 8 taps. Patch: [3 pixels][steps][8] int16. Weights: per step 8 bytes of channel A, then 8 of B. Sums must not
 * leave 32 bits. */

#include "function.S"

        /* void ts_mve_conv_dots_s16(const int8_t *weights, const int16_t *patch, int32_t steps, int32_t sums[6]): steps >= 1; sums of
         * A of 3 pixels, then of B. Stack: 40 bytes. */
        BEGIN_FUNCTION ts_mve_conv_dots_s16
        push    {r3-r11, lr}
        CFI_PUSHED 3, 11
        mov     r7, r0
        dls     lr, r2
        add     r3, r1, r2, lsl #4
        add     r5, r3, r2, lsl #4
        .irp    acc, r0, r2, r4, r6, r8, r10
        mov     \acc, #0
        .endr
1:
        vldrb.s16 q0, [r7], #8
        vldrb.s16 q1, [r7], #8
        vldrh.u16 q2, [r1], #16
        vmladava.s16 r0, q2, q0
        vldrh.u16 q3, [r3], #16
        vmladava.s16 r6, q2, q1
        vldrh.u16 q2, [r5], #16
        vmladava.s16 r2, q3, q0
        vmladava.s16 r8, q3, q1
        vmladava.s16 r4, q2, q0
        vmladava.s16 r10, q2, q1
        le      lr, 1b
        ldr     r12, [sp]
        stm     r12, {r0, r2, r4, r6, r8, r10}
        pop     {r3-r11, pc}
        END_FUNCTION ts_mve_conv_dots_s16
