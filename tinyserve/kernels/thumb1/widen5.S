/* SPDX-License-Identifier: Apache-2.0 */
/* Inputs of one pixel to one column of a patch of five, for Armv6-M.
 *
 *   int32_t ts_thumb1_widen5(const int8_t *from, int32_t *to, const ts_thumb1_widen_args *args);
 *
 * args  {rows, bytes of a row, bytes from one row to the next}
 *
 * Each byte goes to a word, every fifth word from `to` on. Returns the sum of all.
 *
 * r3 is the value; r4-r6 are 1 to 3 and r7 is 0, since signed bytes load with an offset in a register only. r8 bytes of a
 * row, r9 bytes from its end to the next, r12 sum, lr rows left.
 */
#include "function.S"

.macro WORD offset place
    ldrsb r3, [r0, \offset]
    str r3, [r1, #\place]
    add r12, r12, r3
.endm

    BEGIN_FUNCTION ts_thumb1_widen5
    push {r4-r7, lr}
    CFI_PUSHED 4, 7
    mov r4, r8
    mov r5, r9
    push {r4, r5}
    CFI_PUSHED_HIGH 2
    ldm r2!, {r3-r5}
    mov lr, r3
    mov r8, r4
    subs r5, r5, r4
    mov r9, r5
    movs r4, #1
    movs r5, #2
    movs r6, #3
    movs r7, #0
    mov r12, r7
.Lrow:
    mov r2, r8
    subs r2, r2, #4
    bmi .Lrest
.Lfour:
    WORD r7, 0
    WORD r4, 20
    WORD r5, 40
    WORD r6, 60
    adds r0, r0, #4
    adds r1, r1, #80
    subs r2, r2, #4
    bpl .Lfour
.Lrest:
    adds r2, r2, #4
    beq .Lnext
.Lone:
    WORD r7, 0
    adds r0, r0, #1
    adds r1, r1, #20
    subs r2, r2, #1
    bne .Lone
.Lnext:
    add r0, r0, r9
    mov r3, lr
    subs r3, r3, #1
    mov lr, r3
    bne .Lrow
    mov r0, r12
    pop {r4, r5}
    CFI_POPPED_HIGH 2
    mov r8, r4
    mov r9, r5
    pop {r4-r7, pc}
    END_FUNCTION ts_thumb1_widen5
