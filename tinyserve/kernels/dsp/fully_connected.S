/* SPDX-License-Identifier: Apache-2.0 */
/* Fully connected layers: 8 output channels at a time, activations read as int8, requantized or as sums. Armv7E-M with
 * DSP and later.
 *
 * Weights of a group of 8 channels (compiler/variants/dsp/fully_connected.py): 8 words of biases with the input's zero
 * point folded in, then per quad of taps and pair of channels A and B two words, halves 256 * w_B + w_A of taps 0 and 2,
 * of taps 1 and 3. SMLAD on the raw words sums 256 B + A, on their low bytes A. A last quad is filled up with zeros.
 *
 * Requantization is MultiplyByQuantizedMultiplier with one multiplier for all channels, ties corrected; see matmul.S. */

#include "function.S"

        .equ    MULTIPLIER, 0
        .equ    ROUNDING, 4
        .equ    SHIFT, 8
        .equ    INPUT, 12
        .equ    END, 16
        .equ    ENTRY, 20
        .equ    OUTPUT, 24
        .equ    GROUPS, 28
        .equ    HAS_TAIL, 32
        .equ    TAIL, 36
        .equ    FRAME, 44

        /* A quad of taps in r2: 31 instructions, 32 products. r0 weights, r4-r11 sums A and 256 B + A of 4 pairs. */
        .macro  QUAD
        sxtb16  r3, r2, ror #8
        sxtb16  r2, r2
        ldrd    r12, lr, [r0], #8
        smlad   r5, r2, r12, r5
        sxtb16  r12, r12
        smlad   r5, r3, lr, r5
        sxtb16  lr, lr
        smlad   r4, r2, r12, r4
        smlad   r4, r3, lr, r4
        ldrd    r12, lr, [r0], #8
        smlad   r7, r2, r12, r7
        sxtb16  r12, r12
        smlad   r7, r3, lr, r7
        sxtb16  lr, lr
        smlad   r6, r2, r12, r6
        smlad   r6, r3, lr, r6
        ldrd    r12, lr, [r0], #8
        smlad   r9, r2, r12, r9
        sxtb16  r12, r12
        smlad   r9, r3, lr, r9
        sxtb16  lr, lr
        smlad   r8, r2, r12, r8
        smlad   r8, r3, lr, r8
        ldrd    r12, lr, [r0], #8
        smlad   r11, r2, r12, r11
        sxtb16  r12, r12
        smlad   r11, r3, lr, r11
        sxtb16  lr, lr
        smlad   r10, r2, r12, r10
        smlad   r10, r3, lr, r10
        .endm

        .equ    STEP_BYTES, 124

        /* Channels whose sums are in r4-r11: what becomes of them. Every register but sp is free. */
        .macro  RESULT acc
        smmlar  lr, \acc, r2, r3
        add     lr, lr, \acc, asr #31
        asr     lr, lr, r12
        ssat    lr, #8, lr, asr #1
        strb    lr, [r1], #1
        .endm
        .macro  RESULTS a, b
        sub     \b, \b, \a
        lsl     \a, \a, #1
        asr     \b, \b, #7
        RESULT  \a
        RESULT  \b
        .endm
        .macro  REQUANTIZED
        ldm     sp, {r2, r3, r12}
        ldr     r1, [sp, #OUTPUT]
        RESULTS r4, r5
        RESULTS r6, r7
        RESULTS r8, r9
        RESULTS r10, r11
        .endm

        .macro  SUM a, b
        sub     \b, \b, \a
        asr     \b, \b, #8
        .endm
        .macro  SUMS
        ldr     r1, [sp, #OUTPUT]
        SUM     r4, r5
        SUM     r6, r7
        SUM     r8, r9
        SUM     r10, r11
        stm     r1!, {r4-r11}
        .endm

        .macro  EIGHT name, results
        BEGIN_FUNCTION \name
        push    {r4-r11, lr}
        CFI_PUSHED 4, 11
        sub     sp, sp, #FRAME
        .cfi_adjust_cfa_offset FRAME
        .ifc    \results, REQUANTIZED
        ldm     r0, {r0, r3-r8}
        strd    r6, r7, [sp, #MULTIPLIER]
        str     r8, [sp, #SHIFT]
        .else
        ldm     r0, {r0, r3-r5}
        .endif
        str     r1, [sp, #INPUT]
        str     r2, [sp, #OUTPUT]
        str     r5, [sp, #GROUPS]
        str     r3, [sp, #HAS_TAIL]
        add     r6, r1, r0, lsl #2
        str     r6, [sp, #END]
        /* The tail as a word with zeros after it. */
        movs    r7, #0
        subs    r8, r3, #1
        blo     1f
0:
        ldrb    r9, [r6, r8]
        orr     r7, r9, r7, lsl #8
        subs    r8, r8, #1
        bhs     0b
1:
        str     r7, [sp, #TAIL]
        adr.w   r7, 4f
        cbz     r0, 2f
        adr.w   r7, 3f
        rsb     r0, r0, #0
        and     r0, r0, #3
        movs    r8, #STEP_BYTES
        mla     r7, r0, r8, r7
2:
        orr     r7, r7, #1
        str     r7, [sp, #ENTRY]
        mov     r0, r4
7:
        ldm     r0!, {r4-r11}
        add     r5, r4, r5, lsl #8
        add     r7, r6, r7, lsl #8
        add     r9, r8, r9, lsl #8
        add     r11, r10, r11, lsl #8
        ldr     pc, [sp, #ENTRY]
        .p2align 2
3:
        .rept   4
        ldr.w   r2, [r1], #4
        QUAD
        .endr
        ldr     r2, [sp, #END]
        cmp     r1, r2
        bne     3b
        .p2align 2
4:
        ldrd    r2, r3, [sp, #HAS_TAIL]
        cbz     r2, 5f
        mov     r2, r3
        QUAD
5:
        \results
        str     r1, [sp, #OUTPUT]
        ldr     r1, [sp, #INPUT]
        ldr     r2, [sp, #GROUPS]
        subs    r2, r2, #1
        str     r2, [sp, #GROUPS]
        bne     7b
        add     sp, sp, #FRAME
        .cfi_adjust_cfa_offset -FRAME
        pop     {r4-r11, pc}
        END_FUNCTION \name
        .endm

        /* void ts_dsp_fully_connected_8(job, const int8_t *input, int8_t *output)
         * job: quads, tail (bytes after them), weights, groups, multiplier, (2 zp + 1) << (r - 1), r - 1. Stack: 80. */
        EIGHT   ts_dsp_fully_connected_8, REQUANTIZED

        /* void ts_dsp_sums_8(job, const int8_t *input, int32_t *sums)
         * job: quads, tail, weights, groups. Stack: 80. */
        EIGHT   ts_dsp_sums_8, SUMS
