/* SPDX-License-Identifier: Apache-2.0 */
/* Requantizes sums and stores them as int8 in [-128, 127], for Armv6-M. requantize.h explains the arithmetic.
 *
 *   void ts_thumb1_store(const int32_t *acc, const ts_thumb1_channel *channel, int8_t *output,
 *                        const ts_thumb1_store_args *args);
 *
 * args  {bytes of a run of sums, bytes between outputs of a run, number of runs,
 *        then the bytes from one run to the next: of sums, of outputs, of channels}
 *
 * r0 is the sum, r1 the result, r2 a copy; r3-r5 the lower limbs, or with two limbs r5 the shift; r6 and r7 point to
 * sums and outputs. r8 offset, r9 fourth limb, r10 bias, r11 shift, r12 step of the outputs, lr end of the run.
 */
#include "function.S"

#define RUN_BYTES 0
#define STEP 4
#define RUNS 8
#define NEXT_ACC 12
#define NEXT_OUTPUT 16
#define NEXT_CHANNEL 20

/* Locals: the current run. */
#define ACC 0
#define CHANNEL 4
#define OUTPUT 8
#define ARGS 12
#define LEFT 16

.macro SCALE_2
    movs r1, r0
    muls r1, r3, r1
    asrs r1, r1, #10
    muls r0, r4, r0
    adds r1, r1, r0
    add r1, r1, r8
    asrs r1, r1, r5
.endm

.macro SCALE_3
    movs r1, r0
    muls r1, r3, r1
    asrs r1, r1, #8
    movs r2, r0
    muls r2, r4, r2
    adds r1, r1, r2
    asrs r1, r1, #8
    muls r0, r5, r0
    adds r1, r1, r0
    add r1, r1, r8
    mov r2, r11
    asrs r1, r1, r2
.endm

.macro SCALE_EXACT
    add r0, r0, r10
    movs r1, r0
    muls r1, r3, r1
    asrs r1, r1, #8
    movs r2, r0
    muls r2, r4, r2
    adds r1, r1, r2
    asrs r1, r1, #8
    movs r2, r0
    muls r2, r5, r2
    adds r1, r1, r2
    asrs r1, r1, #8
    mov r2, r9
    muls r0, r2, r0
    adds r1, r1, r0
    adds r1, r1, #64
    asrs r1, r1, #7
    asrs r2, r1, #31 /* negative ties round away from zero */
    adds r1, r1, r2
    add r1, r1, r8
    mov r2, r11
    asrs r1, r1, r2
.endm

/* One run of sums, scaled and clamped. */
.macro RUN scale
1:
    ldm r6!, {r0}
    \scale
    sxtb r2, r1
    cmp r2, r1
    bne 3f
2:
    strb r1, [r7]
    add r7, r7, r12
    cmp r6, lr
    bne 1b
    b .Lnext
3:  /* Saturates: -128 for negative values, 127 for others. */
    asrs r1, r1, #31
    movs r2, #127
    eors r1, r1, r2
    b 2b
.endm

    BEGIN_FUNCTION ts_thumb1_store
    push {r4-r7, lr}
    CFI_PUSHED 4, 7
    mov r4, r8
    mov r5, r9
    mov r6, r10
    mov r7, r11
    push {r4-r7}
    CFI_PUSHED_HIGH 4
    sub sp, sp, #20
    .cfi_adjust_cfa_offset 20
    str r0, [sp, #ACC]
    str r1, [sp, #CHANNEL]
    str r2, [sp, #OUTPUT]
    str r3, [sp, #ARGS]
    ldr r0, [r3, #RUNS]
    str r0, [sp, #LEFT]
    ldr r0, [r3, #STEP]
    mov r12, r0
.Lrun:
    ldr r6, [sp, #ACC]
    ldr r7, [sp, #OUTPUT]
    ldr r1, [sp, #ARGS]
    ldr r0, [r1, #RUN_BYTES]
    adds r0, r0, r6
    mov lr, r0
    ldr r2, [sp, #CHANNEL]
    ldm r2!, {r1, r3-r5}
    ldr r0, [r2, #4]
    mov r8, r0
    ldr r0, [r2, #8]
    cmp r1, #1
    bcs .Llonger
    movs r5, r0
    RUN SCALE_2
.Llonger:
    mov r11, r0
    bne .Lexact
    RUN SCALE_3
.Lexact:
    ldr r0, [r2]
    mov r9, r0
    ldr r0, [r2, #12]
    mov r10, r0
    RUN SCALE_EXACT
.Lnext:
    ldr r0, [sp, #LEFT]
    subs r0, r0, #1
    beq .Ldone
    str r0, [sp, #LEFT]
    ldr r3, [sp, #ARGS]
    ldr r0, [sp, #ACC]
    ldr r1, [r3, #NEXT_ACC]
    adds r0, r0, r1
    str r0, [sp, #ACC]
    ldr r0, [sp, #OUTPUT]
    ldr r1, [r3, #NEXT_OUTPUT]
    adds r0, r0, r1
    str r0, [sp, #OUTPUT]
    ldr r0, [sp, #CHANNEL]
    ldr r1, [r3, #NEXT_CHANNEL]
    adds r0, r0, r1
    str r0, [sp, #CHANNEL]
    b .Lrun
.Ldone:
    add sp, sp, #20
    .cfi_adjust_cfa_offset -20
    pop {r4-r7}
    CFI_POPPED_HIGH 4
    mov r8, r4
    mov r9, r5
    mov r10, r6
    mov r11, r7
    pop {r4-r7, pc}
    END_FUNCTION ts_thumb1_store
