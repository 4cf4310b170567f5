/* SPDX-License-Identifier: Apache-2.0 */
/* Dot products of int8 rows with one vector, up to 4 rows at a time: Armv6-M and later. Rows lie as they are, at any
 * address. Sums are 32 bits wide and wrap.
 *
 *   void name(const int8_t *rows, vector, int32_t *sums, int32_t count, int32_t depth): sums[i] of row i, rows depth
 *   bytes apart, depth not 0.
 *
 * A tap of 4 rows is 14 instructions. r0 is where the vector ends, r1-r4 where rows end, r5 counts from -depth up to 0,
 * r6 is an input, r7 a weight and then its product; r8-r11 are the sums, r12 points to where they go, lr: rows left.
 * A loop of four taps is entered at the tap with which it ends after depth taps. Stack: 36 bytes. */

#include "function.S"

        .equ    DEPTH, 36

        .macro  TERM    acc, row
        ldrsb   r7, [\row, r5]
        muls    r7, r6, r7
        add     \acc, \acc, r7
        .endm

        .macro  TAP     input, rows
        \input
        TERM    r8, r1
        .if     \rows > 1
        TERM    r9, r2
        .endif
        .if     \rows > 2
        TERM    r10, r3
        .endif
        .if     \rows > 3
        TERM    r11, r4
        .endif
        adds    r5, r5, #1
        .endm

        .macro  INPUT_S8
        ldrsb   r6, [r0, r5]
        .endm

        .macro  INPUT_S16
        lsls    r6, r5, #1
        ldrsh   r6, [r0, r6]
        .endm

        /* `words`: instructions of `input`. r5 is the depth. */
        .macro  TAPS    input, words, rows
        rsbs    r5, r5, #0
        movs    r7, #0
        mov     r8, r7
        mov     r9, r7
        mov     r10, r7
        mov     r11, r7
        movs    r6, #3
        ands    r6, r6, r5 /* taps that the first pass leaves out */
        movs    r7, #(2 * (\words + 3 * \rows + 1))
        muls    r6, r7, r6
        add     pc, pc, r6
        nop
8:
        TAP     \input, \rows
        TAP     \input, \rows
        TAP     \input, \rows
        TAP     \input, \rows
        bne     8b
        .endm

        .macro  DOTS    name, input, words
        BEGIN_FUNCTION \name
        push    {r4-r7, lr}
        CFI_PUSHED 4, 7
        mov     r4, r8
        mov     r5, r9
        mov     r6, r10
        mov     r7, r11
        push    {r4-r7}
        CFI_PUSHED_HIGH 4
        mov     r12, r2
        mov     r6, r0
        ldr     r5, [sp, #DEPTH]
        adds    r0, r1, r5
        .if     \words > 1
        adds    r0, r0, r5
        .endif
        adds    r1, r6, r5
        b       2f
1:
        mov     lr, r3
        ldr     r5, [sp, #DEPTH]
        adds    r2, r1, r5
        adds    r3, r2, r5
        adds    r4, r3, r5
        TAPS    \input, \words, 4
        mov     r5, r12
        mov     r2, r8
        mov     r3, r9
        mov     r6, r10
        mov     r7, r11
        stm     r5!, {r2, r3, r6, r7}
        mov     r12, r5
        ldr     r5, [sp, #DEPTH]
        adds    r1, r4, r5
        mov     r3, lr
2:
        subs    r3, r3, #4
        bpl     1b
        /* -4: none left, -3: one, and so on. */
        ldr     r5, [sp, #DEPTH]
        adds    r2, r1, r5
        adds    r3, r3, #3
        bpl     9f
        b       6f
9:
        beq     4f
        cmp     r3, #1
        beq     3f
        adds    r3, r2, r5
        TAPS    \input, \words, 3
        mov     r3, r10
        mov     r5, r12
        str     r3, [r5, #8]
        b       5f
3:
        TAPS    \input, \words, 2
5:
        mov     r5, r12
        mov     r6, r9
        str     r6, [r5, #4]
        b       7f
4:
        TAPS    \input, \words, 1
        mov     r5, r12
7:
        mov     r6, r8
        str     r6, [r5]
6:
        pop     {r4-r7}
        CFI_POPPED_HIGH 4
        mov     r8, r4
        mov     r9, r5
        mov     r10, r6
        mov     r11, r7
        pop     {r4-r7, pc}
        END_FUNCTION \name
        .endm

        DOTS    ts_thumb1_dots_s8, INPUT_S8, 1
        DOTS    ts_thumb1_dots_s16, INPUT_S16, 2
