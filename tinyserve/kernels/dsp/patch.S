/* SPDX-License-Identifier: Apache-2.0 */
/* Gathering of activations for the matrix products: int8 taps widened to int16, two taps per word. Armv7E-M with DSP.
 *
 * A run of taps lies contiguous in memory. Its bytes b0 b1 b2 b3 become the words (b0, b2), (b1, b3): that is what
 * SXTB16 gives. A tail of 1 byte becomes (b0, -), of 2 (b0, b1), of 3 (b0, b2), (b1, -); weights there are 0 or in
 * this order (tinyserve/variants/dsp/packing.py). Only bytes of the run are read; any alignment. */

#include "function.S"

        /* int32_t *ts_dsp_patch_4_s8(int32_t *patch, const int8_t *const runs[4], const ts_dsp_runs *shape)
         * 4 pixels side by side: [steps][4] words. shape: quads and tail of a run, number of runs, bytes from the end of
         * a run to the start of the next. Returns the patch's end. Stack: 48 bytes. */
        BEGIN_FUNCTION ts_dsp_patch_4_s8
        push    {r2, r4-r11, lr}
        CFI_PUSHED 4, 11
        .cfi_adjust_cfa_offset 4
        sub     sp, sp, #8
        .cfi_adjust_cfa_offset 8
        ldr     r4, [r2, #8]
        str     r4, [sp]
        ldm     r1, {r1, r2, r3, r12}
0:
        ldr     r4, [sp, #8]
        ldr     lr, [r4]
        cmp     lr, #0
        beq     2f
1:
        ldr     r4, [r1], #4
        ldr     r5, [r2], #4
        ldr     r6, [r3], #4
        ldr     r7, [r12], #4
        sxtb16  r8, r4, ror #8
        sxtb16  r9, r5, ror #8
        sxtb16  r10, r6, ror #8
        sxtb16  r11, r7, ror #8
        sxtb16  r4, r4
        sxtb16  r5, r5
        sxtb16  r6, r6
        sxtb16  r7, r7
        stm     r0!, {r4-r11}
        subs    lr, lr, #1
        bne     1b
        ldr     r4, [sp, #8]
2:
        ldr     lr, [r4, #4]
        cmp     lr, #2
        beq     4f
        bhi     3f
        cmp     lr, #0
        beq     6f
        ldrsb   r4, [r1], #1
        ldrsb   r5, [r2], #1
        ldrsb   r6, [r3], #1
        ldrsb   r7, [r12], #1
        stm     r0!, {r4-r7}
        b       6f
3:      /* 3 */
        ldrsb   r8, [r1, #1]
        ldrsb   r9, [r2, #1]
        ldrsb   r10, [r3, #1]
        ldrsb   r11, [r12, #1]
        ldrsb   lr, [r1, #2]
        ldrsb   r4, [r1], #3
        pkhbt   r4, r4, lr, lsl #16
        ldrsb   lr, [r2, #2]
        ldrsb   r5, [r2], #3
        pkhbt   r5, r5, lr, lsl #16
        ldrsb   lr, [r3, #2]
        ldrsb   r6, [r3], #3
        pkhbt   r6, r6, lr, lsl #16
        ldrsb   lr, [r12, #2]
        ldrsb   r7, [r12], #3
        pkhbt   r7, r7, lr, lsl #16
        stm     r0!, {r4-r11}
        b       6f
4:      /* 2 */
        ldrsb   r8, [r1, #1]
        ldrsb   r9, [r2, #1]
        ldrsb   r10, [r3, #1]
        ldrsb   r11, [r12, #1]
        ldrsb   r4, [r1], #2
        ldrsb   r5, [r2], #2
        ldrsb   r6, [r3], #2
        ldrsb   r7, [r12], #2
        pkhbt   r4, r4, r8, lsl #16
        pkhbt   r5, r5, r9, lsl #16
        pkhbt   r6, r6, r10, lsl #16
        pkhbt   r7, r7, r11, lsl #16
        stm     r0!, {r4-r7}
6:
        ldr     r4, [sp]
        subs    r4, r4, #1
        beq     7f
        str     r4, [sp]
        ldr     r4, [sp, #8]
        ldr     r4, [r4, #12]
        add     r1, r1, r4
        add     r2, r2, r4
        add     r3, r3, r4
        add     r12, r12, r4
        b       0b
7:
        add     sp, sp, #12
        .cfi_adjust_cfa_offset -12
        pop     {r4-r11, pc}
        END_FUNCTION ts_dsp_patch_4_s8

        /* int32_t *ts_dsp_patch_1_s8(int32_t *patch, const int8_t *run, const ts_dsp_runs *shape)
         * The same for 1 pixel: [steps] words. Stack: 24 bytes. */
        BEGIN_FUNCTION ts_dsp_patch_1_s8
        push    {r4-r8, lr}
        CFI_PUSHED 4, 8
        ldr     r6, [r2, #8]
0:
        ldr     r3, [r2]
        cbz     r3, 2f
1:
        ldr     r4, [r1], #4
        sxtb16  r5, r4, ror #8
        sxtb16  r4, r4
        stm     r0!, {r4, r5}
        subs    r3, r3, #1
        bne     1b
2:
        ldr     r3, [r2, #4]
        cbz     r3, 6f
        ldrsb   r4, [r1], #1
        subs    r3, r3, #1
        beq     5f
        ldrsb   r5, [r1], #1
        subs    r3, r3, #1
        beq     4f
        ldrsb   r7, [r1], #1
        pkhbt   r4, r4, r7, lsl #16
        stm     r0!, {r4, r5}
        b       6f
4:
        pkhbt   r4, r4, r5, lsl #16
5:
        stm     r0!, {r4}
6:
        subs    r6, r6, #1
        beq     7f
        ldr     r3, [r2, #12]
        add     r1, r1, r3
        b       0b
7:
        pop     {r4-r8, pc}
        END_FUNCTION ts_dsp_patch_1_s8
