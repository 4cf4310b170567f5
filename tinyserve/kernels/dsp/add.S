/* SPDX-License-Identifier: Apache-2.0 */
/* ADD and SUB of two int8 tensors of one shape. Armv7E-M with DSP and later.
 *
 * TFLM brings both inputs to twice the larger scale. That makes the multiplier of the input of larger scale exactly one
 * half, so that it needs a shift alone; the other input's part, with both offsets, is a table of 256 words. Sums are
 * doubled for SMMLAR; requantization as in matmul.S: the relu kernel leaves out the correction of negative ties. */

#include "function.S"

        /* void name(job, const int8_t *plain, const int8_t *looked_up, int8_t *output)
         * job: elements, table, multiplier, (2 zp + 1) << (r - 1), r - 1. Stack: 40 bytes. */
        .macro  ADD_S8 name, relu
        BEGIN_FUNCTION \name
        push    {r4-r12, lr}
        CFI_PUSHED 4, 12
        ldm     r0, {r0, r4-r7}
        subs    r0, r0, #4
        blo     2f
1:
        ldr     r8, [r1], #4
        ldr     r9, [r2], #4
        .irp    rotation, 0, 8, 16, 24
        .if     \rotation
        uxtb    r11, r9, ror #\rotation
        sxtb    r10, r8, ror #\rotation
        .else
        uxtb    r11, r9
        sxtb    r10, r8
        .endif
        ldr     r11, [r4, r11, lsl #2]
        add     r10, r11, r10, lsl #20
        smmlar  r11, r10, r5, r6
        .ifeq   \relu
        add     r11, r11, r10, asr #31
        .endif
        asr     r11, r11, r7
        ssat    r11, #8, r11, asr #1
        strb    r11, [r3], #1
        .endr
        subs    r0, r0, #4
        bhs     1b
2:
        adds    r0, r0, #4
        beq     4f
3:
        ldrsb   r10, [r1], #1
        ldrb    r11, [r2], #1
        ldr     r11, [r4, r11, lsl #2]
        add     r10, r11, r10, lsl #20
        smmlar  r11, r10, r5, r6
        .ifeq   \relu
        add     r11, r11, r10, asr #31
        .endif
        asr     r11, r11, r7
        ssat    r11, #8, r11, asr #1
        strb    r11, [r3], #1
        subs    r0, r0, #1
        bne     3b
4:
        pop     {r4-r12, pc}
        END_FUNCTION \name
        .endm

        ADD_S8  ts_dsp_add_s8, 0
        ADD_S8  ts_dsp_add_relu_s8, 1
