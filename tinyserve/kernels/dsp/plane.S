/* SPDX-License-Identifier: Apache-2.0 */
/* Depthwise convolution of any filter, 4 output channels at a time, from a padded plane of widened inputs. Armv7E-M with
 * DSP and later.
 *
 * A pixel of the plane is two words of int16: the inputs of lanes 0 and 2, and of lanes 1 and 3. The record of 4 channels:
 *   word[4]     biases, with the input's zero point folded in
 *   per run of neighbouring taps: the byte in the plane where it begins, then two words per tap, weights in the same order
 *   word[4][3]  per lane: multiplier, C, r - 1
 * Requantization equals MultiplyByQuantizedMultiplier: t = SMMLAR(2 acc, m, C), C = (2 zp + 1) << (r - 1); t - 1 where
 * acc < 0, for ties, which with zero point -128 are clamped away (relu); t >> r, saturated. */

#include "function.S"

        /* Frame: the job's words (ts_dsp_plane_job), then what changes. */
        .equ    RECORD, 0
        .equ    RUNS_END, 4
        .equ    RUN, 8
        .equ    STORE, 12
        .equ    PLANE, 16
        .equ    PLANE_ROW, 20
        .equ    OUTPUT, 24
        .equ    OUTPUT_ROW, 28
        .equ    STEP, 32
        .equ    ROWS, 36
        .equ    COLUMNS, 40
        .equ    INPUTS, 44
        .equ    TO, 48
        .equ    LEFT, 52
        .equ    FRAME, 60

        .equ    LONGEST_RUN, 10
        .equ    TAP_BYTES, 44

        /* One tap of two pixels and 4 lanes: 11 instructions of 4 bytes. r0: inputs, r1: weights. */
        .macro  TAP stride
        ldrd    r2, r3, [r0], #8
        ldm     r1!, {r12, lr}
        smlabb  r4, r2, r12, r4
        smlabb  r5, r3, lr, r5
        smlatt  r6, r2, r12, r6
        smlatt  r7, r3, lr, r7
        ldrd    r2, r3, [r0, #8 * \stride - 8]
        smlabb  r8, r2, r12, r8
        smlabb  r9, r3, lr, r9
        smlatt  r10, r2, r12, r10
        smlatt  r11, r3, lr, r11
        .endm

        .macro  REQUANTIZE acc, relu
        lsl     r12, \acc, #1
        smmlar  r12, r12, r0, r2
        .ifeq   \relu
        add     r12, r12, \acc, asr #31
        .endif
        asr     r12, r12, r3
        ssat    \acc, #8, r12, asr #1
        .endm

        /* void name(const job *job): all outputs of up to 4 channels, two columns at a time; where the second is none, it is
         * written before the first, to the same place. Stack: 96 bytes. */
        .macro  PLANE name, stride, relu
        BEGIN_FUNCTION \name
        push    {r4-r11, lr}
        CFI_PUSHED 4, 11
        sub     sp, sp, #FRAME
        .cfi_adjust_cfa_offset FRAME
        ldm     r0, {r1-r11}
        /* Where a run's taps begin in the unrolled ones, and where stores of so many lanes do. */
        rsb     r3, r3, #LONGEST_RUN
        movs    r12, #TAP_BYTES
        adr.w   lr, 3f
        mla     r3, r3, r12, lr
        orr     r3, r3, #1
        rsb     r4, r4, #4
        adr.w   lr, 5f
        add     r4, lr, r4, lsl #3
        orr     r4, r4, #1
        stm     sp, {r1-r11}
0:
        ldr     r0, [sp, #PLANE]
        ldr     r1, [sp, #OUTPUT]
        ldr     r2, [sp, #COLUMNS]
        str     r0, [sp, #INPUTS]
        strd    r1, r2, [sp, #TO]
1:
        ldr     r1, [sp, #RECORD]
        ldm     r1!, {r4-r7}
        mov     r8, r4
        mov     r9, r5
        mov     r10, r6
        mov     r11, r7
2:
        ldr     r0, [r1], #4
        ldr     r2, [sp, #INPUTS]
        add     r0, r0, r2
        ldr     pc, [sp, #RUN]
        .p2align 2
3:
        .rept   LONGEST_RUN
        TAP     \stride
        .endr
        ldr     r2, [sp, #RUNS_END]
        cmp     r1, r2
        bne     2b
        ldm     r1!, {r0, r2, r3}
        REQUANTIZE r4, \relu
        REQUANTIZE r8, \relu
        ldm     r1!, {r0, r2, r3}
        REQUANTIZE r5, \relu
        REQUANTIZE r9, \relu
        ldm     r1!, {r0, r2, r3}
        REQUANTIZE r6, \relu
        REQUANTIZE r10, \relu
        ldm     r1!, {r0, r2, r3}
        REQUANTIZE r7, \relu
        REQUANTIZE r11, \relu
        ldrd    r0, r12, [sp, #TO]
        ldr     r3, [sp, #STEP]
        mov     r1, r0
        subs    r12, r12, #2
        it      pl
        addpl   r1, r1, r3
        add     r3, r1, r3
        strd    r3, r12, [sp, #TO]
        ldr     r3, [sp, #INPUTS]
        add     r3, r3, #16 * \stride
        str     r3, [sp, #INPUTS]
        ldr     pc, [sp, #STORE]
        .p2align 2
5:
        strb.w  r11, [r1, #3]
        strb.w  r7, [r0, #3]
        strb.w  r10, [r1, #2]
        strb.w  r6, [r0, #2]
        strb.w  r9, [r1, #1]
        strb.w  r5, [r0, #1]
        strb.w  r8, [r1]
        strb.w  r4, [r0]
        cmp     r12, #0
        bgt     1b
        ldr     r0, [sp, #PLANE]
        ldr     r1, [sp, #PLANE_ROW]
        add     r0, r0, r1
        str     r0, [sp, #PLANE]
        ldrd    r0, r1, [sp, #OUTPUT]
        add     r0, r0, r1
        str     r0, [sp, #OUTPUT]
        ldr     r0, [sp, #ROWS]
        subs    r0, r0, #1
        str     r0, [sp, #ROWS]
        bne     0b
        add     sp, sp, #FRAME
        .cfi_adjust_cfa_offset -FRAME
        pop     {r4-r11, pc}
        END_FUNCTION \name
        .endm

        PLANE   ts_dsp_plane_s1, 1, 0
        PLANE   ts_dsp_plane_s1_relu, 1, 1
        PLANE   ts_dsp_plane_s2, 2, 0
        PLANE   ts_dsp_plane_s2_relu, 2, 1
        PLANE   ts_dsp_plane_s3, 3, 0
        PLANE   ts_dsp_plane_s3_relu, 3, 1
        PLANE   ts_dsp_plane_s4, 4, 0
        PLANE   ts_dsp_plane_s4_relu, 4, 1

        /* void ts_dsp_plane_row(int32_t *to, const int8_t *from, int32_t step, int32_t count): pixels of 4 neighbouring
         * channels, step bytes apart; reads 4 bytes of each. Stack: 16 bytes. */
        BEGIN_FUNCTION ts_dsp_plane_row
        push    {r4-r6, lr}
        CFI_PUSHED 4, 6
        lsrs    lr, r3, #1
        beq     2f
1:
        ldr     r4, [r1]
        ldr     r6, [r1, r2]
        add     r1, r1, r2, lsl #1
        sxtb16  r5, r4, ror #8
        sxtb16  r4, r4
        sxtb16  r12, r6, ror #8
        sxtb16  r6, r6
        stm     r0!, {r4, r5, r6, r12}
        subs    lr, lr, #1
        bne     1b
2:
        lsls    r3, r3, #31
        beq     3f
        ldr     r4, [r1]
        sxtb16  r5, r4, ror #8
        sxtb16  r4, r4
        stm     r0!, {r4, r5}
3:
        pop     {r4-r6, pc}
        END_FUNCTION ts_dsp_plane_row

        /* void ts_dsp_plane_lanes(int32_t *to, const int8_t *from, int32_t step, const int32_t *shape): as above with any
         * channel in each lane. shape: pixels, then the channels of lanes 1, 2 and 3 from lane 0's on. Stack: 32 bytes. */
        BEGIN_FUNCTION ts_dsp_plane_lanes
        push    {r4-r9, lr}
        CFI_PUSHED 4, 9
        sub     sp, sp, #4
        .cfi_adjust_cfa_offset 4
        ldm     r3, {r3, r4, r5, r6}
1:
        ldrsb   r7, [r1]
        ldrsb   r8, [r1, r4]
        ldrsb   r9, [r1, r5]
        ldrsb   r12, [r1, r6]
        add     r1, r1, r2
        pkhbt   r7, r7, r9, lsl #16
        pkhbt   r8, r8, r12, lsl #16
        stm     r0!, {r7, r8}
        subs    r3, r3, #1
        bne     1b
        add     sp, sp, #4
        .cfi_adjust_cfa_offset -4
        pop     {r4-r9, pc}
        END_FUNCTION ts_dsp_plane_lanes
