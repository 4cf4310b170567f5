/* SPDX-License-Identifier: Apache-2.0 */
/* Packed int8 weights times widened activations, two output channels at a time. Armv7E-M with DSP and later.
 *
 * Weights (written by tinyserve/variants/dsp/packing.py): a record per pair of output channels A and B,
 *   word      bias_A << 8 | shift_A     the input's zero point is folded into the bias, |bias| < 2^23
 *   word      bias_B << 8 | shift_B
 *   word[n]   per step of two taps, halves h = 256 * w_B + w_A
 *   word[2]   multiplier_A, multiplier_B
 * SMLAD on the raw word sums x * h = 256 B + A, SMLAD on its low bytes sums A, and B = (sum - A) / 256 exactly.
 *
 * Requantization equals MultiplyByQuantizedMultiplier with its two roundings. r is the right shift, zp the zero point:
 *   t = SMMLAR(2 acc, m, C) with C = (2 zp + 1) << (r - 1), which holds zp << r and half; result t >> r, saturated.
 * The plain kernels correct negative ties (t - 1 where acc < 0); both shifts are r - 1.
 * The relu kernels need no correction, as negative values are clamped away by zp = -128. They take B's sum times 256:
 * floor(256 B m / 2^32) has 7 bits more than t, and floors compose; shift_B = r + 6.
 *
 * First argument, fields in this order: steps, output stride (bytes between pixels), 2 zp + 1, weights, weights' bytes.
 * Stack: 72 bytes, 76 in the plain kernel of 4 pixels. */

#include "function.S"

        /* Stack frame of both kernels. Steps take the stride's place where there is one pixel. */
        .equ    SHIFTS, 0
        .equ    PATCH, 8
        .equ    WEIGHTS_END, 12
        .equ    OUTPUT, 16
        .equ    OUTPUT_STRIDE, 20
        .equ    STEPS, 20
        .equ    HALF, 24
        .equ    PATCH_END, 28
        .equ    ENTRY, 32
        .equ    FRAME, 36

        /* Two taps of 4 pixels and 2 channels: 13 instructions of 4 bytes, 16 products.
         * r0 weights, r1 patch, r4-r7 sums of 256 B + A, r8-r11 sums of A. */
        .macro  STEP_4
        ldr.w   r12, [r0], #4
        ldr.w   r3, [r1, #4]
        ldr.w   r2, [r1], #16
        sxtb16  lr, r12
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

        /* void name(job, patch, output): 4 pixels, all channels. Patch: [steps][4 pixels] words of two int16 taps. */
        .macro  MATMUL_4 name, relu
        BEGIN_FUNCTION \name
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
        strd    r5, r7, [sp, #HALF]
        /* After the first step, enter the loop of 8 where a multiple of 8 remains; past it if none does. */
        adr.w   r8, 2f
        subs    r3, r3, #1
        beq     9f
        adr.w   r8, 1f
        rsb     r3, r3, #0
        and     r3, r3, #7
        movs    r9, #STEP_4_BYTES
        mla     r8, r3, r9, r8
9:      orr     r8, r8, #1
        str     r8, [sp, #ENTRY]
0:
        ldrd    r2, r3, [r0], #8
        strd    r2, r3, [sp, #SHIFTS]
        asr     r2, r2, #8
        bic     r3, r3, #255
        add     r3, r3, r2
        /* The first step adds to the biases. */
        ldr     r12, [r0], #4
        ldr     r11, [r1, #4]
        ldr     r10, [r1], #16
        sxtb16  lr, r12
        smlad   r4, r10, r12, r3
        smlad   r8, r10, lr, r2
        smlad   r5, r11, r12, r3
        smlad   r9, r11, lr, r2
        ldrd    r10, r11, [r1, #-8]
        smlad   r6, r10, r12, r3
        smlad   r10, r10, lr, r2
        smlad   r7, r11, r12, r3
        smlad   r11, r11, lr, r2
        ldr     pc, [sp, #ENTRY]
        .p2align 2
1:
        .rept   8
        STEP_4
        .endr
        ldr     r12, [sp, #PATCH_END]
        cmp     r1, r12
        bne     1b
        .p2align 2
2:
        sub     r4, r4, r8
        sub     r5, r5, r9
        sub     r6, r6, r10
        sub     r7, r7, r11
        ldr     r1, [sp, #HALF]
        ldrd    r2, r3, [sp, #SHIFTS]
        ldrd    r12, lr, [r0], #8
        lsl     r1, r1, r2
        .irp    acc, r8, r9, r10, r11
        lsl     \acc, \acc, #1
        .endr
        .if     \relu
        .irp    acc, r8, r9, r10, r11
        smmlar  \acc, \acc, r12, r1
        .endr
        .irp    acc, r8, r9, r10, r11
        asr     \acc, \acc, r2
        .endr
        .irp    acc, r8, r9, r10, r11
        ssat    \acc, #8, \acc, asr #1
        .endr
        ldr     r1, [sp, #HALF]
        lsl     r1, r1, r3
        add     r1, r1, #64
        .irp    acc, r4, r5, r6, r7
        smmla   \acc, \acc, lr, r1
        .endr
        .irp    acc, r4, r5, r6, r7
        asr     \acc, \acc, r3
        .endr
        .irp    acc, r4, r5, r6, r7
        ssat    \acc, #8, \acc, asr #1
        .endr
        .else
        /* The multiplier of A leaves its register free for the product of B. */
        push    {lr}
        .cfi_adjust_cfa_offset 4
        .irp    acc, r8, r9, r10, r11
        smmlar  lr, \acc, r12, r1
        add     lr, lr, \acc, asr #31
        asr     lr, lr, r2
        ssat    \acc, #8, lr, asr #1
        .endr
        pop     {lr}
        .cfi_adjust_cfa_offset -4
        ldr     r1, [sp, #HALF]
        lsl     r1, r1, r3
        .irp    acc, r4, r5, r6, r7
        asr     \acc, \acc, #7
        smmlar  r12, \acc, lr, r1
        add     r12, r12, \acc, asr #31
        asr     r12, r12, r3
        ssat    \acc, #8, r12, asr #1
        .endr
        .endif
        ldrd    r1, r2, [sp, #OUTPUT]
        add     r3, r1, #2
        strb    r8, [r1]
        strb    r4, [r1, #1]
        add     r1, r1, r2
        strb    r9, [r1]
        strb    r5, [r1, #1]
        add     r1, r1, r2
        strb    r10, [r1]
        strb    r6, [r1, #1]
        add     r1, r1, r2
        strb    r11, [r1]
        strb    r7, [r1, #1]
        str     r3, [sp, #OUTPUT]
        ldrd    r1, r2, [sp, #PATCH]
        cmp     r0, r2
        bne     0b
        add     sp, sp, #FRAME
        .cfi_adjust_cfa_offset -FRAME
        pop     {r4-r11, pc}
        END_FUNCTION \name
        .endm

        MATMUL_4 ts_dsp_matmul_4_s8, 0
        MATMUL_4 ts_dsp_matmul_4_relu_s8, 1

        /* Four taps of 2 pixels and 2 channels: 13 instructions, 16 products.
         * r0 weights, r1 and r2 patches, r4 and r5 sums of 256 B + A, r6 and r7 sums of A. */
        .macro  STEPS_2
        ldrd    r8, r9, [r0], #8
        ldrd    r10, r11, [r1], #8
        sxtb16  lr, r8
        sxtb16  r3, r9
        smlad   r4, r10, r8, r4
        smlad   r6, r10, lr, r6
        smlad   r4, r11, r9, r4
        smlad   r6, r11, r3, r6
        ldrd    r10, r11, [r2], #8
        smlad   r5, r10, r8, r5
        smlad   r7, r10, lr, r7
        smlad   r5, r11, r9, r5
        smlad   r7, r11, r3, r7
        .endm

        /* void name(job, patch, output): 2 pixels, all channels. Patch: [2 pixels][steps] words of two int16 taps.
         * r12 steps left, which lie behind HALF. */
        .macro  MATMUL_2 name, relu
        BEGIN_FUNCTION \name
        push    {r4-r11, lr}
        CFI_PUSHED 4, 11
        sub     sp, sp, #FRAME
        .cfi_adjust_cfa_offset FRAME
        ldm     r0, {r3-r7}
        mov     r0, r6
        add     r7, r7, r6
        strd    r1, r7, [sp, #PATCH]
        strd    r2, r4, [sp, #OUTPUT]
        strd    r5, r3, [sp, #HALF]
0:
        ldrd    r8, r9, [r0], #8
        strd    r8, r9, [sp, #SHIFTS]
        asr     r6, r8, #8
        bic     r4, r9, #255
        add     r4, r4, r6
        mov     r5, r4
        mov     r7, r6
        ldr     r12, [sp, #HALF + 4]
        add     r2, r1, r12, lsl #2
        subs    r12, r12, #8
        blo     2f
1:
        .rept   4
        STEPS_2
        .endr
        subs    r12, r12, #8
        bhs     1b
2:
        adds    r12, r12, #8
        beq     4f
3:
        ldr     r8, [r0], #4
        ldr     r10, [r1], #4
        ldr     r11, [r2], #4
        sxtb16  lr, r8
        smlad   r4, r10, r8, r4
        smlad   r6, r10, lr, r6
        smlad   r5, r11, r8, r5
        smlad   r7, r11, lr, r7
        subs    r12, r12, #1
        bne     3b
4:
        sub     r4, r4, r6
        sub     r5, r5, r7
        ldr     r1, [sp, #HALF]
        ldrd    r2, r3, [sp, #SHIFTS]
        ldrd    r12, lr, [r0], #8
        lsl     r8, r1, r2
        lsl     r9, r1, r3
        lsl     r6, r6, #1
        lsl     r7, r7, #1
        .if     \relu
        add     r9, r9, #64
        smmlar  r6, r6, r12, r8
        smmlar  r7, r7, r12, r8
        smmla   r4, r4, lr, r9
        smmla   r5, r5, lr, r9
        .else
        smmlar  r10, r6, r12, r8
        smmlar  r11, r7, r12, r8
        add     r6, r10, r6, asr #31
        add     r7, r11, r7, asr #31
        asr     r4, r4, #7
        asr     r5, r5, #7
        smmlar  r10, r4, lr, r9
        smmlar  r11, r5, lr, r9
        add     r4, r10, r4, asr #31
        add     r5, r11, r5, asr #31
        .endif
        asr     r6, r6, r2
        asr     r7, r7, r2
        asr     r4, r4, r3
        asr     r5, r5, r3
        .irp    acc, r4, r5, r6, r7
        ssat    \acc, #8, \acc, asr #1
        .endr
        ldrd    r1, r2, [sp, #OUTPUT]
        strb    r6, [r1]
        strb    r4, [r1, #1]
        add     r3, r1, #2
        add     r1, r1, r2
        strb    r7, [r1]
        strb    r5, [r1, #1]
        str     r3, [sp, #OUTPUT]
        ldrd    r1, r2, [sp, #PATCH]
        cmp     r0, r2
        bne     0b
        add     sp, sp, #FRAME
        .cfi_adjust_cfa_offset -FRAME
        pop     {r4-r11, pc}
        END_FUNCTION \name
        .endm

        MATMUL_2 ts_dsp_matmul_2_s8, 0
        MATMUL_2 ts_dsp_matmul_2_relu_s8, 1

        /* void name(job, patch, output): 1 pixel, all channels. Patch: [steps] words of two int16 taps.
         * r0 weights, r1 patch, r2 sum of 256 B + A, r3 sum of A, r12 steps left. */
        .macro  MATMUL_1 name, relu
        BEGIN_FUNCTION \name
        push    {r4-r11, lr}
        CFI_PUSHED 4, 11
        sub     sp, sp, #FRAME
        .cfi_adjust_cfa_offset FRAME
        ldm     r0, {r3-r7}
        mov     r0, r6
        add     r7, r7, r6
        strd    r1, r7, [sp, #PATCH]
        strd    r2, r3, [sp, #OUTPUT]
        str     r5, [sp, #HALF]
0:
        ldrd    r4, r5, [r0], #8
        strd    r4, r5, [sp, #SHIFTS]
        asr     r3, r4, #8
        bic     r2, r5, #255
        add     r2, r2, r3
        ldr     r12, [sp, #STEPS]
        subs    r12, r12, #4
        blo     2f
1:
        ldm     r1!, {r4-r7}
        ldm     r0!, {r8-r11}
        sxtb16  lr, r8
        smlad   r2, r4, r8, r2
        smlad   r3, r4, lr, r3
        sxtb16  lr, r9
        smlad   r2, r5, r9, r2
        smlad   r3, r5, lr, r3
        sxtb16  lr, r10
        smlad   r2, r6, r10, r2
        smlad   r3, r6, lr, r3
        sxtb16  lr, r11
        smlad   r2, r7, r11, r2
        smlad   r3, r7, lr, r3
        subs    r12, r12, #4
        bhs     1b
2:
        adds    r12, r12, #4
        beq     4f
3:
        ldr     r4, [r1], #4
        ldr     r8, [r0], #4
        sxtb16  lr, r8
        smlad   r2, r4, r8, r2
        smlad   r3, r4, lr, r3
        subs    r12, r12, #1
        bne     3b
4:
        sub     r2, r2, r3
        ldr     r1, [sp, #HALF]
        ldrd    r4, r5, [sp, #SHIFTS]
        ldrd    r6, r7, [r0], #8
        lsl     r8, r1, r4
        lsl     r9, r1, r5
        lsl     r3, r3, #1
        smmlar  r12, r3, r6, r8
        .if     \relu
        add     r9, r9, #64
        smmla   lr, r2, r7, r9
        .else
        add     r12, r12, r3, asr #31
        asr     r2, r2, #7
        smmlar  lr, r2, r7, r9
        add     lr, lr, r2, asr #31
        .endif
        asr     r12, r12, r4
        asr     lr, lr, r5
        ssat    r12, #8, r12, asr #1
        ssat    lr, #8, lr, asr #1
        ldr     r3, [sp, #OUTPUT]
        strb    r12, [r3]
        strb    lr, [r3, #1]
        add     r3, r3, #2
        str     r3, [sp, #OUTPUT]
        ldrd    r1, r2, [sp, #PATCH]
        cmp     r0, r2
        bne     0b
        add     sp, sp, #FRAME
        .cfi_adjust_cfa_offset -FRAME
        pop     {r4-r11, pc}
        END_FUNCTION \name
        .endm

        MATMUL_1 ts_dsp_matmul_1_s8, 0
        MATMUL_1 ts_dsp_matmul_1_relu_s8, 1
