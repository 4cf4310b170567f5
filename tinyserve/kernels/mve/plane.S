/* SPDX-License-Identifier: Apache-2.0 */
/* One channel of a depthwise convolution on Helium, from a padded plane of that channel's inputs. Armv8.1-M with MVE.
 *
 * A step is one vector of taps: 16 neighbouring bytes of a row of the plane times 16 weights, zeros where there is no
 * tap (beyond the filter's width, between dilated taps). VMLADAV sums a step of one output; four outputs of a row are
 * computed side by side, requantized as one vector and scattered to their pixels.
 *
 * Requantization equals MultiplyByQuantizedMultiplier for right shifts: VQRDMULH, then VRSHL, before which negative
 * values lose 1 in the `ties` functions, as TFLM rounds ties away from zero (see matmul.h). */

#include "function.S"

        /* Frame: the job's words, but for the last ones that stay in registers. */
        .equ    STEPS, 0
        .equ    TABLE, 4
        .equ    WEIGHTS, 8
        .equ    BIAS, 12
        .equ    PLANE, 16
        .equ    PLANE_ROW, 20
        .equ    OUTPUT, 24
        .equ    OUTPUT_ROW, 28
        .equ    ROWS, 32
        .equ    COLUMNS, 36
        .equ    OUTPUT_STEP, 48
        .equ    FRAME, 56

        /* The 16 inputs of four outputs, from [r12] on, each times the weights in q3, to r4, r6, r8 and r10. */
        .macro  DOTS instruction, stride
        vldrb.8 q0, [r12]
        vldrb.8 q1, [r12, #\stride]
        \instruction r4, q0, q3
        vldrb.8 q2, [r12, #2 * \stride]
        \instruction r6, q1, q3
        vldrb.8 q0, [r12, #3 * \stride]
        \instruction r8, q2, q3
        \instruction r10, q0, q3
        .endm

        /* Requantizes r4, r6, r8 and r10 to q0. r3: bias, r5: multiplier, r7: shift. */
        .macro  REQUANTIZE ties
        vmov    q0[2], q0[0], r4, r8
        vmov    q0[3], q0[1], r6, r10
        vadd.i32 q0, q0, r3
        vqrdmulh.s32 q0, q0, r5
        .if     \ties
        vshr.s32 q1, q0, #31
        vadd.i32 q0, q0, q1
        .endif
        vrshl.s32 q0, r7
        vadd.i32 q0, q0, q5
        vmax.s32 q0, q0, q6
        vmin.s32 q0, q0, q7
        .endm

        /* On to the next row; r2: its first input. */
        .macro  NEXT_ROW again
        ldr     r0, [sp, #PLANE_ROW]
        add     r2, r2, r0
        ldrd    r0, r1, [sp, #OUTPUT]
        add     r0, r0, r1
        str     r0, [sp, #OUTPUT]
        ldr     r0, [sp, #ROWS]
        subs    r0, r0, #1
        str     r0, [sp, #ROWS]
        bne     \again
        .endm

        /* void name(const job *job): all outputs of one channel; job: ts_mve_plane_job in depthwise_plane.h. Any number of
         * steps. r2: the row's first input, r9: output, r11: columns left. Stack: 160 bytes. */
        .macro  PLANE_CHANNEL name, stride, ties
        BEGIN_FUNCTION \name
        push    {r4-r11, lr}
        CFI_PUSHED 4, 11
        sub     sp, sp, #4
        .cfi_adjust_cfa_offset 4
        vpush   {d8-d15}
        .cfi_adjust_cfa_offset 64
        sub     sp, sp, #FRAME
        .cfi_adjust_cfa_offset FRAME
        ldm     r0!, {r1-r12}
        stm     sp, {r1-r12}
        mov     r5, r11
        mov     r7, r12
        ldm     r0, {r1-r4}
        vdup.32 q5, r1
        vdup.32 q6, r2
        vdup.32 q7, r3
        /* Where four outputs go. */
        movs    r0, #0
        vidup.u32 q4, r0, #1
        vmul.i32 q4, q4, r4
        lsl     r4, r4, #2
        str     r4, [sp, #OUTPUT_STEP]
        ldr     r0, [sp, #STEPS]
        ldr     r2, [sp, #PLANE]
        ldr     r3, [sp, #BIAS]
        cmp     r0, #1
        bne     5f
        /* One step. */
        ldr     r0, [sp, #WEIGHTS]
        vldrb.8 q3, [r0]
        ldr     r0, [sp, #TABLE]
        ldr     r0, [r0]
        add     r2, r2, r0
1:
        ldr     r9, [sp, #OUTPUT]
        ldr     r11, [sp, #COLUMNS]
        ldr     r1, [sp, #OUTPUT_STEP]
        mov     r12, r2
        lsr     lr, r11, #2
        wls     lr, lr, 3f
2:
        DOTS    vmladav.s8, \stride
        add     r12, r12, #4 * \stride
        REQUANTIZE \ties
        vstrb.32 q0, [r9, q4]
        add     r9, r9, r1
        le      lr, 2b
3:
        ands    r11, r11, #3
        beq     4f
        DOTS    vmladav.s8, \stride
        REQUANTIZE \ties
        vctp.32 r11
        vpst
        vstrbt.32 q0, [r9, q4]
4:
        NEXT_ROW 1b
        b       9f

        /* Several steps. r12: first input of the four outputs. */
5:
        ldr     r9, [sp, #OUTPUT]
        ldr     r11, [sp, #COLUMNS]
        mov     r12, r2
6:
        ldrd    r3, r0, [sp, #TABLE]
        mov     r1, r12
        ldr     r12, [r3], #4
        vldrb.8 q3, [r0], #16
        add     r12, r12, r1
        ldr     lr, [sp, #STEPS]
        DOTS    vmladav.s8, \stride
        sub     lr, lr, #1
        dls     lr, lr
7:
        ldr     r12, [r3], #4
        vldrb.8 q3, [r0], #16
        add     r12, r12, r1
        DOTS    vmladava.s8, \stride
        le      lr, 7b
        ldr     r3, [sp, #BIAS]
        REQUANTIZE \ties
        vctp.32 r11
        ldr     r0, [sp, #OUTPUT_STEP]
        vpst
        vstrbt.32 q0, [r9, q4]
        add     r9, r9, r0
        add     r12, r1, #4 * \stride
        subs    r11, r11, #4
        bgt     6b
        NEXT_ROW 5b
9:
        add     sp, sp, #FRAME
        .cfi_adjust_cfa_offset -FRAME
        vpop    {d8-d15}
        .cfi_adjust_cfa_offset -64
        add     sp, sp, #4
        .cfi_adjust_cfa_offset -4
        pop     {r4-r11, pc}
        END_FUNCTION \name
        .endm

        PLANE_CHANNEL ts_mve_plane_s1, 1, 0
        PLANE_CHANNEL ts_mve_plane_s1_ties, 1, 1
        PLANE_CHANNEL ts_mve_plane_s2, 2, 0
        PLANE_CHANNEL ts_mve_plane_s2_ties, 2, 1
        PLANE_CHANNEL ts_mve_plane_s3, 3, 0
        PLANE_CHANNEL ts_mve_plane_s3_ties, 3, 1
        PLANE_CHANNEL ts_mve_plane_s4, 4, 0
        PLANE_CHANNEL ts_mve_plane_s4_ties, 4, 1
