/* SPDX-License-Identifier: Apache-2.0 */
/* Widened weights times widened activations: for short sums, where packing costs more than it saves. See matmul.S.
 *
 * Weights (tinyserve/variants/dsp/wide.py): a record per pair of output channels A and B,
 *   word[2]      bias_A, bias_B
 *   word[2n]     per step of two taps, int16 pairs of A and of B
 *   word[4]      multiplier_A, C_A, multiplier_B, C_B
 * Weights and biases are multiplied by 2^d per channel so that with right shift r the sum T = SMMLA(acc, m, C) needs a
 * shift by r + d - 1 = 12 in every channel. floor(acc 2^d m / 2^32) has d - 1 bits more than TFLM's first rounding, and
 * floors compose; C holds both roundings and the zero point -128, which clamps negative ties away.
 *
 * First argument as in matmul.S. Stack: 64 bytes. */

#include "function.S"

        .equ    PATCH, 0
        .equ    WEIGHTS_END, 4
        .equ    OUTPUT, 8
        .equ    OUTPUT_STRIDE, 12
        .equ    PATCH_END, 16
        .equ    ENTRY, 20
        .equ    FRAME, 28

        .equ    SHIFT, 12

        /* Two taps of 4 pixels and 2 channels: 13 instructions of 4 bytes, 16 products.
         * r0 weights, r1 patch, r4-r7 sums of A, r8-r11 sums of B. */
        .macro  STEP_4
        ldr.w   r12, [r0], #8
        ldr.w   r3, [r1, #4]
        ldr.w   r2, [r1], #16
        ldr     lr, [r0, #-4]
        smlad   r4, r2, r12, r4
        smlad   r8, r2, lr, r8
        smlad   r5, r3, r12, r5
        smlad   r9, r3, lr, r9
        ldrd    r2, r3, [r1, #-8]
        smlad   r6, r2, r12, r6
        smlad   r10, r2, lr, r10
        smlad   r7, r3, r12, r7
        smlad   r11, r3, lr, r11
        .endm

        .equ    STEP_4_BYTES, 52

        /* void ts_dsp_matmul_4_wide_s8(job, patch, output): 4 pixels, all channels. Patch: [steps][4 pixels] words. */
        BEGIN_FUNCTION ts_dsp_matmul_4_wide_s8
        push    {r4-r11, lr}
        CFI_PUSHED 4, 11
        sub     sp, sp, #FRAME
        .cfi_adjust_cfa_offset FRAME
        ldm     r0, {r3-r7}
        mov     r0, r6
        add     r7, r7, r6
        strd    r1, r7, [sp, #PATCH]
        strd    r2, r4, [sp, #OUTPUT]
        add     r7, r1, r3, lsl #4
        str     r7, [sp, #PATCH_END]
        adr.w   r8, 2f
        subs    r3, r3, #1
        beq     9f
        adr.w   r8, 1f
        rsb     r3, r3, #0
        and     r3, r3, #3
        movs    r9, #STEP_4_BYTES
        mla     r8, r3, r9, r8
9:      orr     r8, r8, #1
        str     r8, [sp, #ENTRY]
0:
        ldrd    r2, r3, [r0], #8
        ldrd    r12, lr, [r0], #8
        ldr     r11, [r1, #4]
        ldr     r10, [r1], #16
        smlad   r4, r10, r12, r2
        smlad   r8, r10, lr, r3
        smlad   r5, r11, r12, r2
        smlad   r9, r11, lr, r3
        ldrd    r10, r11, [r1, #-8]
        smlad   r6, r10, r12, r2
        smlad   r10, r10, lr, r3
        smlad   r7, r11, r12, r2
        smlad   r11, r11, lr, r3
        ldr     pc, [sp, #ENTRY]
        .p2align 2
1:
        .rept   4
        STEP_4
        .endr
        ldr     r12, [sp, #PATCH_END]
        cmp     r1, r12
        bne     1b
        .p2align 2
2:
        ldm     r0!, {r2, r3, r12, lr}
        .irp    acc, r4, r5, r6, r7
        smmla   \acc, \acc, r2, r3
        .endr
        .irp    acc, r8, r9, r10, r11
        smmla   \acc, \acc, r12, lr
        .endr
        .irp    acc, r4, r5, r6, r7, r8, r9, r10, r11
        ssat    \acc, #8, \acc, asr #SHIFT
        .endr
        ldrd    r1, r2, [sp, #OUTPUT]
        add     r3, r1, #2
        strb    r4, [r1]
        strb    r8, [r1, #1]
        add     r1, r1, r2
        strb    r5, [r1]
        strb    r9, [r1, #1]
        add     r1, r1, r2
        strb    r6, [r1]
        strb    r10, [r1, #1]
        add     r1, r1, r2
        strb    r7, [r1]
        strb    r11, [r1, #1]
        str     r3, [sp, #OUTPUT]
        ldrd    r1, r2, [sp, #PATCH]
        cmp     r0, r2
        bne     0b
        add     sp, sp, #FRAME
        .cfi_adjust_cfa_offset -FRAME
        pop     {r4-r11, pc}
        END_FUNCTION ts_dsp_matmul_4_wide_s8

        /* void ts_dsp_matmul_1_wide_s8(job, patch, output): 1 pixel, all channels. Patch: [steps] words.
         * r0 weights, r1 patch, r2 output, r3 steps, r7 weights' end, r8 patch, r9 sum of A, r10 of B. */
        BEGIN_FUNCTION ts_dsp_matmul_1_wide_s8
        push    {r4-r10, lr}
        CFI_PUSHED 4, 10
        mov     r8, r1
        ldm     r0, {r3-r7}
        mov     r0, r6
        add     r7, r7, r6
0:
        ldrd    r9, r10, [r0], #8
        mov     r12, r3
1:
        ldr     r4, [r1], #4
        ldrd    r5, r6, [r0], #8
        smlad   r9, r4, r5, r9
        smlad   r10, r4, r6, r10
        subs    r12, r12, #1
        bne     1b
        ldm     r0!, {r4, r5, r6, lr}
        smmla   r9, r9, r4, r5
        smmla   r10, r10, r6, lr
        ssat    r9, #8, r9, asr #SHIFT
        ssat    r10, #8, r10, asr #SHIFT
        strb    r9, [r2], #1
        strb    r10, [r2], #1
        mov     r1, r8
        cmp     r0, r7
        bne     0b
        pop     {r4-r10, pc}
        END_FUNCTION ts_dsp_matmul_1_wide_s8
