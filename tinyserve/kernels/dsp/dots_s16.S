/* SPDX-License-Identifier: Apache-2.0 */
/* Dot products of int16 activations and int8 weights: 4 pixels times 2 output channels. Armv7E-M with DSP and later.
 *
 * A step is two taps. Patch: [steps][4 pixels] words of two int16 taps. Weights: a word per step, bytes A0 B0 A1 B1 of
 * channels A and B. Sums must not leave 32 bits. */

#include "function.S"

        .equ    STEP_BYTES, 52

        /* Two taps: 13 instructions of 4 bytes, 16 products. r0 weights, r1 patch, r4-r7 sums of A, r8-r11 of B. */
        .macro  STEP
        ldr.w   r12, [r0], #4
        ldrd    r2, r3, [r1], #8
        sxtb16  lr, r12, ror #8
        sxtb16  r12, r12
        smlad   r4, r2, r12, r4
        smlad   r8, r2, lr, r8
        smlad   r5, r3, r12, r5
        smlad   r9, r3, lr, r9
        ldrd    r2, r3, [r1], #8
        smlad   r6, r2, r12, r6
        smlad   r10, r2, lr, r10
        smlad   r7, r3, r12, r7
        smlad   r11, r3, lr, r11
        .endm

        /* void ts_dsp_conv_dots_s16(const int8_t *weights, const int32_t *patch, int32_t steps, int32_t sums[8]): steps >= 1;
         * sums of A of 4 pixels, then of B. Stack: 48 bytes. */
        BEGIN_FUNCTION ts_dsp_conv_dots_s16
        push    {r3-r11, lr}
        CFI_PUSHED 3, 11
        sub     sp, sp, #8
        .cfi_adjust_cfa_offset 8
        add     r3, r1, r2, lsl #4
        str     r3, [sp]
        .irp    acc, r4, r5, r6, r7, r8, r9, r10, r11
        mov     \acc, #0
        .endr
        /* Into the loop of 4 so that a multiple of 4 remains. */
        adr.w   r12, 1f
        rsb     r2, r2, #0
        and     r2, r2, #3
        movs    r3, #STEP_BYTES
        mla     r12, r2, r3, r12
        orr     r12, r12, #1
        bx      r12
        .p2align 2
1:
        .rept   4
        STEP
        .endr
        ldr     r2, [sp]
        cmp     r1, r2
        bne     1b
        ldr     r3, [sp, #8]
        stm     r3, {r4-r11}
        add     sp, sp, #8
        .cfi_adjust_cfa_offset -8
        pop     {r3-r11, pc}
        END_FUNCTION ts_dsp_conv_dots_s16
