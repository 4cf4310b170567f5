/* SPDX-License-Identifier: Apache-2.0 */
/* Three pixels of a convolution on Helium: dot products of int8 rows and requantization. Armv8.1-M with MVE.
 *
 * What ts_mve_pixels of matmul.h does, for compilers that do not keep its sums in registers. Weights and the table of
 * requantization lie as described there; a row is `blocks` x 16 bytes. */

#include "function.S"

        /* Frame: the job, then sums of [3 pixels][16 channels]. */
        .equ    ROWS, 0
        .equ    BLOCKS, 12
        .equ    CHANNELS, 16
        .equ    REQUANT, 20
        .equ    STRIDE, 24
        .equ    OUTPUT, 28
        .equ    ZERO_POINT, 32
        .equ    SUMS, 40
        .equ    PIXEL, 64
        .equ    FRAME, SUMS + 3 * PIXEL

        .macro  REQUANTIZE pixel, to, ties
        vldrw.u32 q3, [r0, #\pixel * PIXEL]
        vadd.i32 q3, q3, q0
        vqrdmulh.s32 q3, q3, q1
        .if     \ties
        vshr.s32 q4, q3, #31
        vadd.i32 q3, q3, q4
        .endif
        vrshl.s32 q3, q3, q2
        vadd.i32 q3, q3, r6
        vmax.s32 q3, q3, q5
        vmin.s32 q3, q3, q6
        vpst
        vstrbt.32 q3, [\to]
        .endm

        /* void name(const job *job): see ts_mve_pixels_job; ties: exact ones. Stack: 336 bytes. */
        .macro  PIXELS name, ties
        BEGIN_FUNCTION \name
        push    {r4-r11, lr}
        CFI_PUSHED 4, 11
        sub     sp, sp, #4
        .cfi_adjust_cfa_offset 4
        vpush   {d8-d15}
        .cfi_adjust_cfa_offset 64
        sub     sp, sp, #FRAME
        .cfi_adjust_cfa_offset FRAME
        ldm     r0!, {r1-r9}
        stm     sp, {r1-r9}
        ldm     r0, {r1, r2, r7}
        vdup.32 q5, r1
        vdup.32 q6, r2
0:
        /* Up to 16 channels, in pairs; r7: weights, r9: sums, r11: channels left. */
        ldr     r11, [sp, #CHANNELS]
        add     r9, sp, #SUMS
        cmp     r11, #16
        it      gt
        movgt   r11, #16
        ldrd    r1, r3, [sp, #ROWS]
        ldrd    r5, r12, [sp, #ROWS + 8]
1:
        vldrb.8 q0, [r7], #16
        vldrb.8 q2, [r1]
        vldrb.8 q1, [r7], #16
        vmladav.s8 r0, q2, q0
        vldrb.8 q3, [r3]
        vmladav.s8 r6, q2, q1
        vldrb.8 q4, [r5]
        vmladav.s8 r2, q3, q0
        sub     lr, r12, #1
        vmladav.s8 r8, q3, q1
        vmladav.s8 r4, q4, q0
        vmladav.s8 r10, q4, q1
        wls     lr, lr, 3f
2:
        vldrb.8 q0, [r7], #16
        vldrb.8 q2, [r1, #16]!
        vldrb.8 q1, [r7], #16
        vmladava.s8 r0, q2, q0
        vldrb.8 q3, [r3, #16]!
        vmladava.s8 r6, q2, q1
        vldrb.8 q4, [r5, #16]!
        vmladava.s8 r2, q3, q0
        vmladava.s8 r8, q3, q1
        vmladava.s8 r4, q4, q0
        vmladava.s8 r10, q4, q1
        le      lr, 2b
        ldrd    r1, r3, [sp, #ROWS]
        ldr     r5, [sp, #ROWS + 8]
3:
        strd    r2, r8, [r9, #PIXEL]
        strd    r4, r10, [r9, #2 * PIXEL]
        strd    r0, r6, [r9], #8
        subs    r11, r11, #2
        bgt     1b

        /* Requantization, four channels at a time: r1, r3 and r5 the outputs of three pixels, r11: channels left. */
        ldr     r11, [sp, #CHANNELS]
        ldrd    r2, r12, [sp, #REQUANT]
        ldr     r1, [sp, #OUTPUT]
        ldr     r6, [sp, #ZERO_POINT]
        add     r3, r1, r12
        add     r5, r3, r12
        add     r0, sp, #SUMS
        mov     r4, r11
        cmp     r4, #16
        it      gt
        movgt   r4, #16
4:
        vldrw.u32 q0, [r2], #16
        vldrw.u32 q1, [r2], #16
        vldrw.u32 q2, [r2], #16
        vctp.32 r4
        REQUANTIZE 0, r1, \ties
        REQUANTIZE 1, r3, \ties
        REQUANTIZE 2, r5, \ties
        adds    r0, #16
        adds    r1, #4
        adds    r3, #4
        adds    r5, #4
        subs    r4, r4, #4
        bgt     4b
        str     r2, [sp, #REQUANT]
        str     r1, [sp, #OUTPUT]
        subs    r11, r11, #16
        str     r11, [sp, #CHANNELS]
        bgt     0b
        add     sp, sp, #FRAME
        .cfi_adjust_cfa_offset -FRAME
        vpop    {d8-d15}
        .cfi_adjust_cfa_offset -64
        add     sp, sp, #4
        .cfi_adjust_cfa_offset -4
        pop     {r4-r11, pc}
        END_FUNCTION \name
        .endm

        PIXELS  ts_mve_pixels_s8, 0
        PIXELS  ts_mve_pixels_s8_ties, 1
