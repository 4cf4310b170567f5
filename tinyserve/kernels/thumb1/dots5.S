/* SPDX-License-Identifier: Apache-2.0 */
/* Five pixels times one output channel at a time, for Armv6-M, which has neither a multiply-accumulate nor a
 * signed byte load with an immediate offset.
 *
 *   void ts_thumb1_dots5(const int32_t *patch, const uint8_t *weights, uint32_t taps, const int32_t start[5],
 *                        int32_t *acc, uint32_t channels, uint32_t acc_step);
 *
 * patch    [taps][5 pixels] inputs; taps are a multiple of 4, widened so that one LDM fetches a tap of all five pixels
 * weights  [channels][taps], stored as weight + 128, since unsigned bytes load with an immediate offset
 * start    first value of the five accumulators: -128 times the sum of each pixel's inputs undoes the 128
 * acc      five sums per channel, acc_step bytes from the end of one channel's to the next
 *
 * r0-r4 hold a tap's inputs, r5 the weight, r6 and r7 point to patch and weights, r8-r12 accumulate.
 */
#include "function.S"

#define PATCH 0
#define START 4
#define ENTRY 8
#define ACC 48
#define CHANNELS 52
#define ACC_STEP 56

.macro TAP offset
    ldm r6!, {r0-r4}
    ldrb r5, [r7, #\offset]
    muls r0, r5, r0
    add r8, r8, r0
    muls r1, r5, r1
    add r9, r9, r1
    muls r2, r5, r2
    add r10, r10, r2
    muls r3, r5, r3
    add r11, r11, r3
    muls r4, r5, r4
    add r12, r12, r4
.endm

    BEGIN_FUNCTION ts_thumb1_dots5
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
    str r0, [sp, #PATCH]
    str r3, [sp, #START]
    mov r7, r1
    adr r4, .Ltaps
    lsls r5, r2, #29 /* negative for an odd number of fours: the loop is entered in its middle */
    bpl .Lwhole
    adr r4, .Lhalf
.Lwhole:
    adds r4, r4, #1 /* Thumb */
    str r4, [sp, #ENTRY]
    movs r4, #20 /* bytes of patch per tap */
    muls r2, r4, r2
    adds r2, r2, r0
    mov lr, r2
.Lchannel:
    ldr r6, [sp, #START]
    ldm r6!, {r0-r4}
    mov r8, r0
    mov r9, r1
    mov r10, r2
    mov r11, r3
    mov r12, r4
    ldr r6, [sp, #PATCH]
    ldr r0, [sp, #ENTRY]
    bx r0
    .balign 4
.Lhalf:
    subs r7, r7, #4
    b .Lfourth
    .balign 4
.Ltaps:
    TAP 0
    TAP 1
    TAP 2
    TAP 3
.Lfourth:
    TAP 4
    TAP 5
    TAP 6
    TAP 7
    adds r7, r7, #8
    cmp r6, lr
    bne .Ltaps
    ldr r6, [sp, #ACC]
    mov r0, r8
    mov r1, r9
    mov r2, r10
    mov r3, r11
    mov r4, r12
    stm r6!, {r0-r4}
    ldr r0, [sp, #ACC_STEP]
    adds r6, r6, r0
    str r6, [sp, #ACC]
    ldr r0, [sp, #CHANNELS]
    subs r0, r0, #1
    str r0, [sp, #CHANNELS]
    beq .Ldone
    b .Lchannel
.Ldone:
    add sp, sp, #12
    .cfi_adjust_cfa_offset -12
    pop {r4-r7}
    CFI_POPPED_HIGH 4
    mov r8, r4
    mov r9, r5
    mov r10, r6
    mov r11, r7
    pop {r4-r7, pc}
    END_FUNCTION ts_thumb1_dots5
