/* SPDX-License-Identifier: Apache-2.0 */
/* Fully connected layers in float32: 4 output channels at a time. FPv4-SP and later (Cortex-M4F, M7, M33).
 *
 * Products are rounded before they are added, in the order of the taps: the results are those of the portable kernel
 * compiled without contraction, bit for bit. On M4 VMUL and VADD take a cycle each, VFMA takes three.
 *
 * Weights of 4 channels (tinyserve/variants/fpu/fully_connected.py): [taps][4], then 4 biases. */

#include "function.S"

        /* One tap, x in \x, weights of the 4 channels in the other registers. */
        .macro  TAP x, w0, w1, w2, w3
        vmul.f32 s8, \w0, \x
        vmul.f32 s9, \w1, \x
        vmul.f32 s10, \w2, \x
        vmul.f32 s11, \w3, \x
        vadd.f32 s4, s4, s8
        vadd.f32 s5, s5, s9
        vadd.f32 s6, s6, s10
        vadd.f32 s7, s7, s11
        .endm

        /* sum < low ? low : sum, then sum > high ? high : sum. */
        .macro  CLAMP sum, low, high
        vcmp.f32 \sum, \low
        vmrs    APSR_nzcv, fpscr
        it      mi
        vmovmi.f32 \sum, \low
        vcmp.f32 \sum, \high
        vmrs    APSR_nzcv, fpscr
        it      gt
        vmovgt.f32 \sum, \high
        .endm

        /* void ts_fpu_fully_connected_4(job, const float *input, float *output)
         * job: quads of taps, taps after them, weights, groups of 4 channels, channels in the last group, bounds.
         * Stack: 88 bytes. */
        BEGIN_FUNCTION ts_fpu_fully_connected_4
        push    {r4-r8, lr}
        CFI_PUSHED 4, 8
        vpush   {s16-s31}
        .cfi_adjust_cfa_offset 64
        ldm     r0!, {r3-r7}
        vldm    r0, {s12, s13}
0:
        mov     r8, r1
        movs    r0, #0
        vmov    s4, r0
        vmov    s5, r0
        vmov    s6, r0
        vmov    s7, r0
        movs    r12, r3
        beq     2f
1:
        vldm    r8!, {s0-s3}
        vldm    r5!, {s16-s31}
        TAP     s0, s16, s17, s18, s19
        TAP     s1, s20, s21, s22, s23
        TAP     s2, s24, s25, s26, s27
        TAP     s3, s28, s29, s30, s31
        subs    r12, r12, #1
        bne     1b
2:
        movs    r12, r4
        beq     4f
3:
        vldm    r8!, {s0}
        vldm    r5!, {s16-s19}
        TAP     s0, s16, s17, s18, s19
        subs    r12, r12, #1
        bne     3b
4:
        vldm    r5!, {s16-s19}
        vadd.f32 s4, s4, s16
        vadd.f32 s5, s5, s17
        vadd.f32 s6, s6, s18
        vadd.f32 s7, s7, s19
        CLAMP   s4, s12, s13
        CLAMP   s5, s12, s13
        CLAMP   s6, s12, s13
        CLAMP   s7, s12, s13
        subs    r6, r6, #1
        beq     5f
        vstm    r2!, {s4-s7}
        b       0b
5:
        vstr    s4, [r2]
        cmp     r7, #2
        blo     6f
        vstr    s5, [r2, #4]
        beq     6f
        vstr    s6, [r2, #8]
        cmp     r7, #4
        blo     6f
        vstr    s7, [r2, #12]
6:
        vpop    {s16-s31}
        .cfi_adjust_cfa_offset -64
        pop     {r4-r8, pc}
        END_FUNCTION ts_fpu_fully_connected_4
