/* SPDX-License-Identifier: Apache-2.0 */
/* One row of inputs times two output channels at a time, for Armv6-M.
 *
 *   void ts_thumb1_dots2(const int32_t *row, const uint8_t *weights, uint32_t blocks, int32_t start, int32_t *acc,
 *                        uint32_t pairs);
 *
 * row      [blocks * 8 taps] inputs, widened
 * weights  [pairs][2 channels][blocks * 8 taps], stored as weight + 128
 * start    first value of the accumulators: -128 times the sum of the inputs undoes the 128
 * acc      [pairs][2] sums
 *
 * r0-r3 hold four inputs, r4 the weight and then the product, r5 points to the inputs, r6 and r7 to the weights of the
 * two channels; r8 and r9 accumulate.
 */
#include "function.S"

#define ROW 0
#define ACC 36
#define PAIRS 40

.macro TAP input offset
    ldrb r4, [r6, #\offset]
    muls r4, \input, r4
    add r8, r8, r4
    ldrb r4, [r7, #\offset]
    muls r4, \input, r4
    add r9, r9, r4
.endm

    BEGIN_FUNCTION ts_thumb1_dots2
    push {r4-r7, lr}
    CFI_PUSHED 4, 7
    mov r4, r8
    mov r5, r9
    mov r6, r10
    push {r4-r6}
    CFI_PUSHED_HIGH 3
    sub sp, sp, #4
    .cfi_adjust_cfa_offset 4
    str r0, [sp, #ROW]
    mov r10, r3
    lsls r2, r2, #5 /* bytes of inputs per block */
    adds r2, r2, r0
    mov lr, r2
    mov r6, r1
.Lpair:
    mov r8, r10
    mov r9, r10
    ldr r5, [sp, #ROW]
    mov r0, lr
    subs r0, r0, r5
    lsrs r0, r0, #2 /* bytes of a row of weights */
    adds r7, r6, r0
.Ltaps:
    ldm r5!, {r0-r3}
    TAP r0, 0
    TAP r1, 1
    TAP r2, 2
    TAP r3, 3
    ldm r5!, {r0-r3}
    TAP r0, 4
    TAP r1, 5
    TAP r2, 6
    TAP r3, 7
    adds r6, r6, #8
    adds r7, r7, #8
    cmp r5, lr
    bne .Ltaps
    mov r6, r7
    ldr r5, [sp, #ACC]
    mov r0, r8
    mov r1, r9
    stm r5!, {r0-r1}
    str r5, [sp, #ACC]
    ldr r0, [sp, #PAIRS]
    subs r0, r0, #1
    str r0, [sp, #PAIRS]
    bne .Lpair
    add sp, sp, #4
    .cfi_adjust_cfa_offset -4
    pop {r4-r6}
    CFI_POPPED_HIGH 3
    mov r8, r4
    mov r9, r5
    mov r10, r6
    pop {r4-r7, pc}
    END_FUNCTION ts_thumb1_dots2
