/* SPDX-License-Identifier: Apache-2.0 */
/* Sums over taps of any number, wherever they lie, five outputs at a time, for Armv6-M.
 *
 *   void ts_thumb1_taps5(const ts_thumb1_taps5_args *args, const int32_t *inputs, int32_t groups, int32_t *acc);
 *
 * args    {first and end of the taps}: a tap is a weight, and the bytes from an output's input of offset 0 to its own
 * inputs  widened; neighbouring outputs have neighbouring inputs
 * groups  of five outputs
 * acc     [groups][5] sums
 *
 * r0-r4 hold a tap's inputs, r5 the weight, r6 points to the inputs, r7 to the taps; r8-r12 accumulate; lr is where the
 * group's inputs begin.
 */
#include "function.S"
#define TAPS 0
#define END 4
#define GROUPS 8
#define ACC 12

.macro PRODUCTS
    ldm r7!, {r5, r6}
    add r6, r6, lr
    ldm r6!, {r0-r4}
    muls r0, r5, r0
    muls r1, r5, r1
    muls r2, r5, r2
    muls r3, r5, r3
    muls r4, r5, r4
.endm

    BEGIN_FUNCTION ts_thumb1_taps5
    push {r4-r7, lr}
    CFI_PUSHED 4, 7
    mov r4, r8
    mov r5, r9
    mov r6, r10
    mov r7, r11
    push {r4-r7}
    CFI_PUSHED_HIGH 4
    sub sp, sp, #16
    .cfi_adjust_cfa_offset 16
    mov lr, r1
    ldr r4, [r0]
    ldr r5, [r0, #4]
    str r4, [sp, #TAPS]
    str r5, [sp, #END]
    str r2, [sp, #GROUPS]
    str r3, [sp, #ACC]
1:
    ldr r7, [sp, #TAPS]
    PRODUCTS
    mov r8, r0
    mov r9, r1
    mov r10, r2
    mov r11, r3
    mov r12, r4
    b 3f
2:
    PRODUCTS
    add r8, r8, r0
    add r9, r9, r1
    add r10, r10, r2
    add r11, r11, r3
    add r12, r12, r4
3:
    ldr r5, [sp, #END]
    cmp r7, r5
    bne 2b
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
    bne 1b
    add sp, sp, #16
    .cfi_adjust_cfa_offset -16
    pop {r4-r7}
    CFI_POPPED_HIGH 4
    mov r8, r4
    mov r9, r5
    mov r10, r6
    mov r11, r7
    pop {r4-r7, pc}
    END_FUNCTION ts_thumb1_taps5
