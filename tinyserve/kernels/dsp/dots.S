/* SPDX-License-Identifier: Apache-2.0 */
/* Dot products of int8 rows with one vector, 4 rows at a time: Armv7E-M with DSP and later. Rows lie as they are, at any
 * address. Sums are 32 bits wide and wrap.
 *
 * A quad of taps is widened once for 4 rows (3 instructions), each row's own is 5 for 4 products: 1.5 per product. */

#include "function.S"

        .equ    ROWS, 0
        .equ    VECTOR, 4
        .equ    SUMS, 8
        .equ    COUNT, 12
        .equ    DEPTH, 16
        .equ    FRAME, 20

        /* Two pairs of taps of one row; r1 and r2 have the vector's: taps 0 and 2, 1 and 3. */
        .macro  ROW acc, row
        ldr     r3, [\row], #4
        sxtb16  r12, r3
        sxtb16  r3, r3, ror #8
        smlad   \acc, r1, r12, \acc
        smlad   \acc, r2, r3, \acc
        .endm

        .macro  ROWS_4
        ROW     r4, r8
        ROW     r5, r9
        ROW     r6, r10
        ROW     r7, r11
        .endm

        .macro  TAP_4
        ldrsb   r1, [r8], #1
        ldrsb   r2, [r9], #1
        ldrsb   r12, [r10], #1
        mla     r4, r1, r3, r4
        ldrsb   r1, [r11], #1
        mla     r5, r2, r3, r5
        mla     r6, r12, r3, r6
        mla     r7, r1, r3, r7
        .endm

        .macro  QUAD_S8
        ldr     r1, [r0], #4
        sxtb16  r2, r1, ror #8
        sxtb16  r1, r1
        .endm

        .macro  TAP_S8
        ldrsb   r3, [r0], #1
        .endm

        .macro  QUAD_S16
        ldr     r3, [r0], #4
        ldr     r2, [r0], #4
        pkhbt   r1, r3, r2, lsl #16
        pkhtb   r2, r2, r3, asr #16
        .endm

        .macro  TAP_S16
        ldrsh   r3, [r0], #2
        .endm

        /* void name(const int8_t *rows, vector, int32_t *sums, int32_t count, int32_t depth): sums[i] of row i, rows
         * depth bytes apart. lr: where the last whole quad of the first row ends. Stack: 56 bytes. */
        .macro  DOTS name, quad, tap
        BEGIN_FUNCTION \name
        push    {r4-r11, lr}
        CFI_PUSHED 4, 11
        ldr     r4, [sp, #36]
        sub     sp, sp, #FRAME
        .cfi_adjust_cfa_offset FRAME
        strd    r0, r1, [sp, #ROWS]
        strd    r2, r3, [sp, #SUMS]
        str     r4, [sp, #DEPTH]
        subs    r3, r3, #4
        blt     5f
        str     r3, [sp, #COUNT]
0:
        ldrd    r8, r0, [sp, #ROWS]
        ldr     r3, [sp, #DEPTH]
        add     r9, r8, r3
        add     r10, r9, r3
        add     r11, r10, r3
        bic     lr, r3, #3
        add     lr, lr, r8
        movs    r4, #0
        movs    r5, #0
        movs    r6, #0
        movs    r7, #0
        cmp     r8, lr
        beq     3f
        tst     r3, #4
        bne     2f
1:
        \quad
        ROWS_4
2:
        \quad
        ROWS_4
        cmp     r8, lr
        bne     1b
3:
        ldr     lr, [sp, #DEPTH]
        ands    lr, lr, #3
        beq     4f
9:
        \tap
        TAP_4
        subs    lr, lr, #1
        bne     9b
4:
        ldrd    r2, r3, [sp, #SUMS]
        stm     r2!, {r4-r7}
        subs    r3, r3, #4
        strd    r2, r3, [sp, #SUMS]
        str     r11, [sp, #ROWS]
        bge     0b
        /* What remains, a row at a time. */
5:
        adds    r3, r3, #4
        beq     8f
        str     r3, [sp, #COUNT]
        ldr     r8, [sp, #ROWS]
6:
        ldr     r0, [sp, #VECTOR]
        ldr     r3, [sp, #DEPTH]
        and     r5, r3, #3
        bic     lr, r3, #3
        add     lr, lr, r8
        movs    r4, #0
        cmp     r8, lr
        beq     2f
1:
        \quad
        ROW     r4, r8
        cmp     r8, lr
        bne     1b
2:
        cbz     r5, 4f
3:
        \tap
        ldrsb   r1, [r8], #1
        subs    r5, r5, #1
        mla     r4, r1, r3, r4
        bne     3b
4:
        ldr     r2, [sp, #SUMS]
        str     r4, [r2], #4
        str     r2, [sp, #SUMS]
        ldr     r3, [sp, #COUNT]
        subs    r3, r3, #1
        str     r3, [sp, #COUNT]
        bne     6b
8:
        add     sp, sp, #FRAME
        .cfi_adjust_cfa_offset -FRAME
        pop     {r4-r11, pc}
        END_FUNCTION \name
        .endm

        DOTS    ts_dsp_dots_s8, QUAD_S8, TAP_S8
        DOTS    ts_dsp_dots_s16, QUAD_S16, TAP_S16
