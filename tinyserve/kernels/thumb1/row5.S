/* SPDX-License-Identifier: Apache-2.0 */
/* One row of a 3x3 depthwise convolution of one channel, five outputs at a time, for Armv6-M.
 *
 *   void ts_thumb1_row5(const ts_thumb1_row5_args *args, const int8_t *weights, int32_t groups, int32_t *acc);
 *   void ts_thumb1_row5_split(the same);
 *
 * args     {const int32_t *row[3]; int32_t third;}: three rows of widened inputs of one channel. The inputs of the second
 *          tap begin one word after those of the first; those of the third another word after them, or, in a split row,
 *          `third` bytes from the end of the second's
 * weights  nine int8, by rows, in the order in which the taps of a row are visited
 * groups   of five outputs
 * acc      [groups][5] sums
 *
 * r0-r4 hold a tap's inputs, r5 the weight, r6 points to the inputs, r7 to the weights; r8-r12 accumulate; lr is how
 * far the group lies from the start of the row.
 */
#include "function.S"
#define ARGS 0
#define GROUPS 4
#define ACC 8

.macro PRODUCTS offset
    ldm r6!, {r0-r4}
    movs r5, #\offset
    ldrsb r5, [r7, r5]
    muls r0, r5, r0
    muls r1, r5, r1
    muls r2, r5, r2
    muls r3, r5, r3
    muls r4, r5, r4
.endm

.macro ACCUMULATE
    add r8, r8, r0
    add r9, r9, r1
    add r10, r10, r2
    add r11, r11, r3
    add r12, r12, r4
.endm

.macro START
    mov r8, r0
    mov r9, r1
    mov r10, r2
    mov r11, r3
    mov r12, r4
.endm

.macro STEP_BACK
    subs r6, r6, #16
.endm

.macro STEP_TO_PLANE
    ldr r5, [sp, #ARGS]
    ldr r5, [r5, #12]
    adds r6, r6, r5
.endm

.macro ROW number first third
    ldr r5, [sp, #ARGS]
    ldr r6, [r5, #\number * 4]
    add r6, r6, lr
    PRODUCTS \number * 3
    \first
    STEP_BACK
    PRODUCTS \number * 3 + 1
    ACCUMULATE
    \third
    PRODUCTS \number * 3 + 2
    ACCUMULATE
.endm

.macro ROW5 name third
    BEGIN_FUNCTION \name
    push {r4-r7, lr}
    CFI_PUSHED 4, 7
    mov r4, r8
    mov r5, r9
    mov r6, r10
    mov r7, r11
    push {r4-r7}
    CFI_PUSHED_HIGH 4
    sub sp, sp, #12
    .cfi_adjust_cfa_offset 12
    str r0, [sp, #ARGS]
    str r2, [sp, #GROUPS]
    str r3, [sp, #ACC]
    mov r7, r1
    movs r0, #0
    mov lr, r0
1:
    ROW 0 START \third
    ROW 1 ACCUMULATE \third
    ROW 2 ACCUMULATE \third
    ldr r6, [sp, #ACC]
    mov r0, r8
    mov r1, r9
    mov r2, r10
    mov r3, r11
    mov r4, r12
    stm r6!, {r0-r4}
    str r6, [sp, #ACC]
    movs r0, #20
    add lr, lr, r0
    ldr r0, [sp, #GROUPS]
    subs r0, r0, #1
    str r0, [sp, #GROUPS]
    beq 2f
    b 1b
2:
    add sp, sp, #12
    .cfi_adjust_cfa_offset -12
    pop {r4-r7}
    CFI_POPPED_HIGH 4
    mov r8, r4
    mov r9, r5
    mov r10, r6
    mov r11, r7
    pop {r4-r7, pc}
    END_FUNCTION \name
.endm

    ROW5 ts_thumb1_row5 STEP_BACK
    ROW5 ts_thumb1_row5_split STEP_TO_PLANE
