/* Requantizes sums and stores them as int8 in [-128, 127], for Armv6-M. requantize.h explains the arithmetic.
 *
 *   void ts_thumb1_store_<limbs>[_ties](const int32_t *acc, const ts_thumb1_channel *channel, int8_t *output,
 *                                       const ts_thumb1_store_args *args);
 *
 * args  {bytes of a run of sums, bytes between outputs of a run, number of runs,
 *        then the bytes from one run to the next: of sums, of outputs, of channels}
 *
 * r0 is the sum, r1 the product, r2 a copy; r3-r5 the lower limbs; r6 and r7 point to sums and outputs. r8 bias,
 * r9 the highest limb or the rounding of the product, r10 rounding, r11 shift, r12 step of the outputs, lr end of the run.
 */
    .syntax unified
    .thumb

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

.macro PRODUCT_3
    movs r1, r0
    muls r1, r3, r1
    asrs r1, r1, #10
    movs r2, r0
    muls r2, r4, r2
    adds r1, r1, r2
    asrs r1, r1, #10
    muls r0, r5, r0
    adds r1, r1, r0
    add r1, r1, r9
    asrs r1, r1, #11
.endm

.macro PRODUCT_4
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
.endm

.macro TIES
    asrs r2, r1, #31
    adds r1, r1, r2
.endm

.macro NO_TIES
.endm

/* What r9 holds: 1 << 10, or the fourth limb. r2 points behind the third limb. */
.macro LAST_3
    movs r0, #1
    lsls r0, r0, #10
    mov r9, r0
.endm

.macro LAST_4
    ldr r0, [r2]
    mov r9, r0
.endm

.macro STORE name product last ties
    .section .text.\name, "ax", %progbits
    .balign 4
    .weak \name
    .type \name, %function
    .thumb_func
\name:
    push {r4-r7, lr}
    mov r4, r8
    mov r5, r9
    mov r6, r10
    mov r7, r11
    push {r4-r7}
    sub sp, sp, #20
    str r0, [sp, #ACC]
    str r1, [sp, #CHANNEL]
    str r2, [sp, #OUTPUT]
    str r3, [sp, #ARGS]
    ldr r0, [r3, #RUNS]
    str r0, [sp, #LEFT]
    ldr r0, [r3, #STEP]
    mov r12, r0
1:
    ldr r2, [sp, #CHANNEL]
    ldm r2!, {r1, r3-r5}
    mov r8, r1
    \last
    ldr r0, [r2, #4]
    mov r10, r0
    ldr r0, [r2, #8]
    mov r11, r0
    ldr r6, [sp, #ACC]
    ldr r7, [sp, #OUTPUT]
    ldr r1, [sp, #ARGS]
    ldr r0, [r1, #RUN_BYTES]
    adds r0, r0, r6
    mov lr, r0
2:
    ldm r6!, {r0}
    add r0, r0, r8
    \product
    \ties
    add r1, r1, r10
    mov r2, r11
    asrs r1, r1, r2
    sxtb r2, r1
    cmp r2, r1
    bne 4f
3:
    strb r1, [r7]
    add r7, r7, r12
    cmp r6, lr
    bne 2b
    ldr r0, [sp, #LEFT]
    subs r0, r0, #1
    beq 5f
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
    b 1b
4:  /* Saturates: -128 for negative values, 127 for others. */
    asrs r1, r1, #31
    movs r2, #127
    eors r1, r1, r2
    b 3b
5:
    add sp, sp, #20
    pop {r4-r7}
    mov r8, r4
    mov r9, r5
    mov r10, r6
    mov r11, r7
    pop {r4-r7, pc}
    .size \name, . - \name
.endm

    STORE ts_thumb1_store_3 PRODUCT_3 LAST_3 NO_TIES
    STORE ts_thumb1_store_3_ties PRODUCT_3 LAST_3 TIES
    STORE ts_thumb1_store_4 PRODUCT_4 LAST_4 NO_TIES
    STORE ts_thumb1_store_4_ties PRODUCT_4 LAST_4 TIES
