/* SPDX-License-Identifier: Apache-2.0 */
/* Depthwise 3x3 convolution of 4 channels at a time, on rows of activations that were widened and sorted by channel.
 * Armv7E-M with DSP and later.
 *
 * A slot holds two rows as [column pairs][4 channels][2 rows] words; a word is two neighbouring columns as int16.
 * Expanded weights of a channel are 10 words (see ts_dsp_depthwise_expand): for each filter row (w0, w1) and (w1, w2),
 * then bias, multiplier, C, and the step of a tie. Weights and bias are scaled by 2^d so that with right shift r the sum
 * T = SMMLA(acc, m, C) needs a shift by r + d - 1 = 10 in every channel: floors compose, so this is exactly
 * MultiplyByQuantizedMultiplier but for negative ties. Where the zero point is -128 those are clamped away; the other
 * kernels add the step -2^(d - 1) to negative results. */

#include "function.S"

        .equ    SLOT_PAIR, 32
        .equ    SHIFT, 10

        /* r8 and r10: 4 channels of two columns in row 0; r9 and r11 the same of row 1. Stores 8 words. */
        .macro  STORE_PAIR
        sxtb16  r4, r8
        sxtb16  r12, r8, ror #8
        sxtb16  r6, r10
        sxtb16  r10, r10, ror #8
        pkhtb   r8, r6, r4, asr #16
        pkhbt   r4, r4, r6, lsl #16
        pkhbt   r6, r12, r10, lsl #16
        pkhtb   r10, r10, r12, asr #16
        sxtb16  r5, r9
        sxtb16  r12, r9, ror #8
        sxtb16  r7, r11
        sxtb16  r11, r11, ror #8
        pkhtb   r9, r7, r5, asr #16
        pkhbt   r5, r5, r7, lsl #16
        pkhbt   r7, r12, r11, lsl #16
        pkhtb   r11, r11, r12, asr #16
        stm     r0!, {r4-r11}
        .endm

        /* void ts_dsp_depthwise_gather(int32_t *slot, const int8_t *row0, const int8_t *row1, const gather *shape)
         * shape: words: bytes between columns, padding (4 zero points); half-words: 1 if a column of padding comes
         * first, whole pairs, 1 if a last column stands alone, pairs of padding after it. Reads 4 bytes per column.
         * Stack: 40 bytes. */
        BEGIN_FUNCTION ts_dsp_depthwise_gather
        push    {r3-r11, lr}
        CFI_PUSHED 3, 11
        mov     r12, r3
        ldr     r3, [r12]
        ldrh    lr, [r12, #8]
        cmp     lr, #0
        beq     1f
        ldr     r8, [r12, #4]
        mov     r9, r8
        ldr     r10, [r1]
        ldr     r11, [r2]
        add     r1, r1, r3
        add     r2, r2, r3
        STORE_PAIR
        ldr     r12, [sp]
1:
        ldrh    lr, [r12, #10]
        cmp     lr, #0
        beq     3f
2:
        ldr     r8, [r1]
        ldr     r10, [r1, r3]
        ldr     r9, [r2]
        ldr     r11, [r2, r3]
        add     r1, r1, r3, lsl #1
        add     r2, r2, r3, lsl #1
        STORE_PAIR
        subs    lr, lr, #1
        bne     2b
3:
        ldr     r12, [sp]
        ldrh    lr, [r12, #12]
        cmp     lr, #0
        beq     4f
        ldr     r8, [r1]
        ldr     r9, [r2]
        ldr     r10, [r12, #4]
        mov     r11, r10
        STORE_PAIR
        ldr     r12, [sp]
4:
        ldrh    lr, [r12, #14]
        cmp     lr, #0
        beq     6f
        ldr     r4, [r12, #4]
        sxtb16  r4, r4
        .irp    to, r5, r6, r7, r8, r9, r10, r11
        mov     \to, r4
        .endr
5:
        stm     r0!, {r4-r11}
        subs    lr, lr, #1
        bne     5b
6:
        pop     {r3-r11, pc}
        END_FUNCTION ts_dsp_depthwise_gather

        /* Frame of the strips. */
        .equ    BIAS, 0
        .equ    MULTIPLIER, 4
        .equ    TIE, 12
        .equ    OUTPUT, 16
        .equ    END, 24
        .equ    POINTERS, 28
        .equ    JOB, 36
        .equ    SLOTS, 36
        .equ    RECORD, 44
        .equ    FIRST, 48
        .equ    STEP, 56
        .equ    LANES, 60
        .equ    BYTES, 64
        .equ    ODD, 68
        .equ    FRAME, 76

        /* Copies the job to the frame. */
        .macro  ENTER
        push    {r4-r11, lr}
        CFI_PUSHED 4, 11
        sub     sp, sp, #FRAME
        .cfi_adjust_cfa_offset FRAME
        ldm     r0, {r1-r9}
        add     r0, sp, #JOB
        stm     r0, {r1-r9}
        .endm

        /* The next channel: weights to r8-r12 and lr, its slots to r0 and r1. */
        .macro  NEXT_CHANNEL
        ldr     r0, [sp, #RECORD]
        ldm     r0!, {r8-r12, lr}
        ldm     r0!, {r2-r5}
        str     r0, [sp, #RECORD]
        stm     sp, {r2-r5}
        ldrd    r2, r3, [sp, #FIRST]
        strd    r2, r3, [sp, #OUTPUT]
        add     r2, r2, #1
        add     r3, r3, #1
        strd    r2, r3, [sp, #FIRST]
        ldrd    r0, r1, [sp, #SLOTS]
        add     r2, r0, #8
        add     r3, r1, #8
        strd    r2, r3, [sp, #SLOTS]
        ldr     r2, [sp, #BYTES]
        add     r3, r0, r2
        str     r3, [sp, #END]
        .endm

        .macro  LEAVE again
        ldr     r2, [sp, #LANES]
        subs    r2, r2, #1
        str     r2, [sp, #LANES]
        bne     \again
        add     sp, sp, #FRAME
        .cfi_adjust_cfa_offset -FRAME
        pop     {r4-r11, pc}
        .endm

        /* void name(const strip *job): two output rows of up to 4 channels, stride 1.
         * job: slot of input rows 0 and 1, slot of rows 2 and 3, expanded weights, outputs of row 0 and row 1 (the same
         * where there is no row 1), bytes between output columns, channels, bytes of whole pairs of columns in a slot, 1
         * if a single last column follows. r4, r5: left and right output of row 0; r6, r7: of row 1. Stack: 112 bytes. */
        .macro  STRIP_STRIDE_1 name, relu
        BEGIN_FUNCTION \name
        ENTER
0:
        NEXT_CHANNEL
        cmp     r2, #0
        beq     2f
1:
        ldrd    r2, r3, [r0], #SLOT_PAIR
        ldr     r7, [sp, #BIAS]
        smlad   r4, r2, r8, r7
        smlatb  r5, r2, r8, r7
        smlad   r6, r3, r8, r7
        smlatb  r7, r3, r8, r7
        smlad   r4, r3, r10, r4
        smlatb  r5, r3, r10, r5
        ldrd    r2, r3, [r0]
        smlabt  r4, r2, r9, r4
        smlad   r5, r2, r9, r5
        smlabt  r6, r3, r9, r6
        smlad   r7, r3, r9, r7
        smlabt  r4, r3, r11, r4
        smlad   r5, r3, r11, r5
        ldrd    r2, r3, [r1], #SLOT_PAIR
        smlad   r4, r2, r12, r4
        smlatb  r5, r2, r12, r5
        smlad   r6, r2, r10, r6
        smlatb  r7, r2, r10, r7
        smlad   r6, r3, r12, r6
        smlatb  r7, r3, r12, r7
        ldrd    r2, r3, [r1]
        smlabt  r4, r2, lr, r4
        smlad   r5, r2, lr, r5
        smlabt  r6, r2, r11, r6
        smlad   r7, r2, r11, r7
        smlabt  r6, r3, lr, r6
        smlad   r7, r3, lr, r7
        ldrd    r2, r3, [sp, #MULTIPLIER]
        .if     \relu
        smmla   r4, r4, r2, r3
        smmla   r5, r5, r2, r3
        smmla   r6, r6, r2, r3
        smmla   r7, r7, r2, r3
        .else
        strd    r0, r1, [sp, #POINTERS]
        ldr     r0, [sp, #TIE]
        .irp    acc, r4, r5, r6, r7
        and     r1, r0, \acc, asr #31
        smmla   \acc, \acc, r2, r3
        add     \acc, \acc, r1
        .endr
        ldrd    r0, r1, [sp, #POINTERS]
        .endif
        ssat    r4, #8, r4, asr #SHIFT
        ssat    r5, #8, r5, asr #SHIFT
        ssat    r6, #8, r6, asr #SHIFT
        ssat    r7, #8, r7, asr #SHIFT
        ldrd    r2, r3, [sp, #OUTPUT]
        strb    r6, [r3]
        strb    r4, [r2]
        ldr     r4, [sp, #STEP]
        strb    r7, [r3, r4]
        strb    r5, [r2, r4]
        add     r2, r2, r4, lsl #1
        add     r3, r3, r4, lsl #1
        strd    r2, r3, [sp, #OUTPUT]
        ldr     r4, [sp, #END]
        cmp     r0, r4
        bne     1b
2:
        ldr     r2, [sp, #ODD]
        cbz     r2, 3f
        ldr     r6, [sp, #BIAS]
        ldrd    r2, r3, [r0], #SLOT_PAIR
        smlad   r4, r2, r8, r6
        smlad   r6, r3, r8, r6
        smlad   r4, r3, r10, r4
        ldrd    r2, r3, [r0]
        smlabt  r4, r2, r9, r4
        smlabt  r6, r3, r9, r6
        smlabt  r4, r3, r11, r4
        ldrd    r2, r3, [r1], #SLOT_PAIR
        smlad   r4, r2, r12, r4
        smlad   r6, r2, r10, r6
        smlad   r6, r3, r12, r6
        ldrd    r2, r3, [r1]
        smlabt  r4, r2, lr, r4
        smlabt  r6, r2, r11, r6
        smlabt  r6, r3, lr, r6
        .ifeq   \relu
        ldr     r2, [sp, #TIE]
        and     r5, r2, r4, asr #31
        and     r7, r2, r6, asr #31
        .endif
        ldrd    r2, r3, [sp, #MULTIPLIER]
        smmla   r4, r4, r2, r3
        smmla   r6, r6, r2, r3
        .ifeq   \relu
        add     r4, r4, r5
        add     r6, r6, r7
        .endif
        ssat    r4, #8, r4, asr #SHIFT
        ssat    r6, #8, r6, asr #SHIFT
        ldrd    r2, r3, [sp, #OUTPUT]
        strb    r6, [r3]
        strb    r4, [r2]
3:
        LEAVE   0b
        END_FUNCTION \name
        .endm

        STRIP_STRIDE_1 ts_dsp_depthwise_3x3_s1, 0
        STRIP_STRIDE_1 ts_dsp_depthwise_3x3_s1_relu, 1

        /* void name(const strip *job): one output row of up to 4 channels, stride 1: the last of an odd number.
         * r4, r5: left and right output, r6: where they go, r7: bias. Stack: 112 bytes. */
        .macro  STRIP_SINGLE name, relu
        BEGIN_FUNCTION \name
        ENTER
0:
        NEXT_CHANNEL
        ldr     r6, [sp, #OUTPUT]
        ldr     r7, [sp, #BIAS]
        cmp     r2, #0
        beq     2f
1:
        ldrd    r2, r3, [r0], #SLOT_PAIR
        smlad   r4, r2, r8, r7
        smlatb  r5, r2, r8, r7
        smlad   r4, r3, r10, r4
        smlatb  r5, r3, r10, r5
        ldrd    r2, r3, [r0]
        smlabt  r4, r2, r9, r4
        smlad   r5, r2, r9, r5
        smlabt  r4, r3, r11, r4
        smlad   r5, r3, r11, r5
        ldr     r2, [r1], #SLOT_PAIR
        ldr     r3, [r1]
        smlad   r4, r2, r12, r4
        smlatb  r5, r2, r12, r5
        smlabt  r4, r3, lr, r4
        smlad   r5, r3, lr, r5
        .if     \relu
        ldrd    r2, r3, [sp, #MULTIPLIER]
        smmla   r4, r4, r2, r3
        smmla   r5, r5, r2, r3
        .else
        str     r6, [sp, #OUTPUT]
        ldr     r7, [sp, #TIE]
        and     r6, r7, r4, asr #31
        and     r7, r7, r5, asr #31
        ldrd    r2, r3, [sp, #MULTIPLIER]
        smmla   r4, r4, r2, r3
        smmla   r5, r5, r2, r3
        add     r4, r4, r6
        add     r5, r5, r7
        ldr     r6, [sp, #OUTPUT]
        ldr     r7, [sp, #BIAS]
        .endif
        ssat    r4, #8, r4, asr #SHIFT
        ssat    r5, #8, r5, asr #SHIFT
        ldr     r2, [sp, #STEP]
        strb    r4, [r6]
        strb    r5, [r6, r2]
        add     r6, r6, r2, lsl #1
        ldr     r2, [sp, #END]
        cmp     r0, r2
        bne     1b
2:
        ldr     r2, [sp, #ODD]
        cbz     r2, 3f
        ldrd    r2, r3, [r0], #SLOT_PAIR
        smlad   r4, r2, r8, r7
        smlad   r4, r3, r10, r4
        ldrd    r2, r3, [r0]
        smlabt  r4, r2, r9, r4
        smlabt  r4, r3, r11, r4
        ldr     r2, [r1], #SLOT_PAIR
        ldr     r3, [r1]
        smlad   r4, r2, r12, r4
        smlabt  r4, r3, lr, r4
        .ifeq   \relu
        ldr     r5, [sp, #TIE]
        and     r5, r5, r4, asr #31
        .endif
        ldrd    r2, r3, [sp, #MULTIPLIER]
        smmla   r4, r4, r2, r3
        .ifeq   \relu
        add     r4, r4, r5
        .endif
        ssat    r4, #8, r4, asr #SHIFT
        strb    r4, [r6]
3:
        LEAVE   0b
        END_FUNCTION \name
        .endm

        STRIP_SINGLE ts_dsp_depthwise_3x3_single, 0
        STRIP_SINGLE ts_dsp_depthwise_3x3_single_relu, 1

        /* void name(const strip *job): one output row of up to 4 channels, stride 2.
         * As above with one output row: "whole pairs" are output columns, each at an even input column. */
        .macro  STRIP_STRIDE_2 name, relu
        BEGIN_FUNCTION \name
        ENTER
0:
        NEXT_CHANNEL
        ldr     r5, [sp, #BIAS]
        ldr     r6, [sp, #OUTPUT]
        ldr     r7, [sp, #STEP]
        /* Third taps of rows 0 and 1 in one word, which leaves a register for the end. */
        pkhtb   r9, r11, r9, asr #16
        mov     r11, r3
1:
        ldrd    r2, r3, [r0], #SLOT_PAIR
        smlad   r4, r2, r8, r5
        smlad   r4, r3, r10, r4
        ldrd    r2, r3, [r0]
        smlabb  r4, r2, r9, r4
        smlabt  r4, r3, r9, r4
        ldr     r2, [r1], #SLOT_PAIR
        ldr     r3, [r1]
        smlad   r4, r2, r12, r4
        smlabt  r4, r3, lr, r4
        .ifeq   \relu
        ldr     r5, [sp, #TIE]
        and     r5, r5, r4, asr #31
        .endif
        ldrd    r2, r3, [sp, #MULTIPLIER]
        smmla   r4, r4, r2, r3
        .ifeq   \relu
        add     r4, r4, r5
        ldr     r5, [sp, #BIAS]
        .endif
        ssat    r4, #8, r4, asr #SHIFT
        strb    r4, [r6]
        add     r6, r6, r7
        cmp     r0, r11
        bne     1b
        LEAVE   0b
        END_FUNCTION \name
        .endm

        STRIP_STRIDE_2 ts_dsp_depthwise_3x3_s2, 0
        STRIP_STRIDE_2 ts_dsp_depthwise_3x3_s2_relu, 1
