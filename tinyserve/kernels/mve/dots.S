/* SPDX-License-Identifier: Apache-2.0 */
/* Dot products of int8 rows with one vector, 4 rows at a time, for Helium: loops predicate their own tails. Rows lie as
 * they are, at any address. Sums are 32 bits wide and wrap. */

#include "function.S"

        /* void name(const int8_t *rows, vector, int32_t *sums, int32_t count, int32_t depth): sums[i] of row i, rows
         * depth bytes apart. r4, r6, r8, r10: sums; r0, r5, r7, r1: rows; r11: the vector. Stack: 44 bytes. */
        .macro  DOTS name, bits, load_vector, vector_bytes, load_row, row_bytes, multiply
        BEGIN_FUNCTION \name
        push    {r4-r11, lr}
        CFI_PUSHED 4, 11
        ldr     r12, [sp, #36]
        sub     sp, sp, #8
        .cfi_adjust_cfa_offset 8
        str     r1, [sp, #4]
        subs    r3, r3, #4
        blt     3f
1:
        str     r0, [sp]
        add     r5, r0, r12
        add     r7, r5, r12
        add     r1, r7, r12
        ldr     r11, [sp, #4]
        movs    r4, #0
        movs    r6, #0
        mov     r8, #0
        mov     r10, #0
        dlstp.\bits lr, r12
2:
        \load_vector q0, [r11], #\vector_bytes
        \load_row q1, [r0], #\row_bytes
        \load_row q2, [r5], #\row_bytes
        \load_row q3, [r7], #\row_bytes
        \multiply r4, q0, q1
        \load_row q1, [r1], #\row_bytes
        \multiply r6, q0, q2
        \multiply r8, q0, q3
        \multiply r10, q0, q1
        letp    lr, 2b
        str     r4, [r2], #4
        str     r6, [r2], #4
        str     r8, [r2], #4
        str     r10, [r2], #4
        ldr     r0, [sp]
        add     r0, r0, r12, lsl #2
        subs    r3, r3, #4
        bge     1b
3:
        adds    r3, r3, #4
        beq     6f
4:
        ldr     r11, [sp, #4]
        mov     r5, r0
        movs    r4, #0
        dlstp.\bits lr, r12
5:
        \load_vector q0, [r11], #\vector_bytes
        \load_row q1, [r5], #\row_bytes
        \multiply r4, q0, q1
        letp    lr, 5b
        str     r4, [r2], #4
        add     r0, r0, r12
        subs    r3, r3, #1
        bne     4b
6:
        add     sp, sp, #8
        .cfi_adjust_cfa_offset -8
        pop     {r4-r11, pc}
        END_FUNCTION \name
        .endm

        DOTS    ts_mve_dots_s8, 8, vldrb.8, 16, vldrb.8, 16, vmladava.s8
        DOTS    ts_mve_dots_s16, 16, vldrh.16, 16, vldrb.s16, 8, vmladava.s16
