/* SPDX-License-Identifier: Apache-2.0 */
/* Spectra in float32, a complex number per load and store. FPv4-SP and later (Cortex-M4F, M7, M33).
 *
 * The operations are those of kernels/spectrum.h, in its order, with products rounded before they are added: the results
 * are its, bit for bit. */

#include "function.S"

        /* (re, im) = (are, aim) * (bre, bim); \t and \u are lost. */
        .macro  MULTIPLY re, im, are, aim, bre, bim, t, u
        vmul.f32 \re, \are, \bre
        vmul.f32 \t, \aim, \bim
        vmul.f32 \im, \aim, \bre
        vmul.f32 \u, \are, \bim
        vsub.f32 \re, \re, \t
        vadd.f32 \im, \im, \u
        .endm

        /* Of four values in s0 to s7: their sum to y0, what the three others are before they are turned. */
        .macro  BUTTERFLY y0re, y0im, y1re, y1im, y2re, y2im, y3re, y3im
        vadd.f32 \y1re, s0, s4
        vadd.f32 \y1im, s1, s5
        vsub.f32 s0, s0, s4
        vsub.f32 s1, s1, s5
        vadd.f32 s4, s2, s6
        vadd.f32 s5, s3, s7
        vsub.f32 s2, s2, s6
        vsub.f32 s3, s3, s7
        vadd.f32 \y0re, \y1re, s4
        vadd.f32 \y0im, \y1im, s5
        vsub.f32 \y1re, \y1re, s4
        vsub.f32 \y1im, \y1im, s5
        vadd.f32 \y2re, s0, s3
        vsub.f32 \y2im, s1, s2
        vsub.f32 \y3re, s0, s3
        vadd.f32 \y3im, s1, s2
        .endm

        /* void ts_fpu_fft(ts_complex *x, const ts_complex *twiddles, int32_t count): ts_fft_in_place.
         * Stack: 96 bytes. */
        BEGIN_FUNCTION ts_fpu_fft
        push    {r4-r10, lr}
        CFI_PUSHED 4, 10
        vpush   {s16-s31}
        .cfi_adjust_cfa_offset 64
        add     r10, r0, r2, lsl #3
        lsrs    r3, r2, #2
        beq     5f
        cmp     r3, #1
        beq     4f
1:      /* a stage of butterflies whose places are r3 apart */
        mov     r8, r0
2:      /* a block of them */
        add     r4, r8, r3, lsl #3
        add     r5, r8, r3, lsl #4
        add     r6, r4, r3, lsl #4
        mov     r7, r1
        vldr    d0, [r8]
        vldr    d1, [r4]
        vldr    d2, [r5]
        vldr    d3, [r6]
        BUTTERFLY s20, s21, s22, s23, s24, s25, s26, s27
        vstmia  r8!, {d10}
        vstmia  r4!, {d11}
        vstmia  r5!, {d12}
        vstmia  r6!, {d13}
        subs    r9, r3, #1
3:
        vldr    d0, [r8]
        vldr    d1, [r4]
        vldr    d2, [r5]
        vldr    d3, [r6]
        vldmia  r7!, {s8-s13}
        BUTTERFLY s20, s21, s22, s23, s24, s25, s26, s27
        MULTIPLY s28, s29, s22, s23, s10, s11, s0, s1
        MULTIPLY s30, s31, s24, s25, s8, s9, s2, s3
        MULTIPLY s14, s15, s26, s27, s12, s13, s4, s5
        vstmia  r8!, {d10}
        vstmia  r4!, {d14}
        vstmia  r5!, {d15}
        vstmia  r6!, {d7}
        subs    r9, r9, #1
        bne     3b
        mov     r8, r6
        cmp     r8, r10
        blo     2b
        mov     r1, r7
        cmp     r3, #2
        beq     5f
        lsr     r3, r3, #2
        cmp     r3, #1
        bhi     1b
4:      /* the last stage of radix 4, without twiddles */
        vldm    r0, {s0-s7}
        BUTTERFLY s8, s9, s10, s11, s12, s13, s14, s15
        vstmia  r0!, {s8-s15}
        cmp     r0, r10
        blo     4b
        b       6f
5:      /* of radix 2 */
        vldm    r0, {s0-s3}
        vadd.f32 s4, s0, s2
        vadd.f32 s5, s1, s3
        vsub.f32 s6, s0, s2
        vsub.f32 s7, s1, s3
        vstmia  r0!, {s4-s7}
        cmp     r0, r10
        blo     5b
6:
        vpop    {s16-s31}
        .cfi_adjust_cfa_offset -64
        pop     {r4-r10, pc}
        END_FUNCTION ts_fpu_fft

        /* void ts_fpu_powers_of_pairs(job, const ts_complex *x, float *out): of all pairs of places.
         * job: count, turns, below. Stack: 36 bytes. */
        BEGIN_FUNCTION ts_fpu_powers_of_pairs
        push    {r4-r11, lr}
        CFI_PUSHED 4, 11
        ldm     r0, {r3, r4, r5}
        add     r6, r2, r3, lsl #2
        movs    r7, #2
1:      /* places r7 to 2 r7 - 1 */
        cmp     r7, r3
        bhs     3f
        add     r8, r1, r7, lsl #3
        add     r9, r1, r7, lsl #4
        lsrs    r10, r7, #1
2:
        ldrh    r11, [r5], #2
        vldmia  r8!, {s0-s1}
        vldmdb  r9!, {s2-s3}
        vldmia  r4!, {s4-s5}
        vadd.f32 s6, s0, s2
        vsub.f32 s7, s1, s3
        vsub.f32 s0, s0, s2
        vadd.f32 s1, s1, s3
        add     r12, r2, r11, lsl #2
        sub     r11, r6, r11, lsl #2
        MULTIPLY s8, s9, s0, s1, s4, s5, s2, s3
        vadd.f32 s0, s6, s8
        vadd.f32 s1, s7, s9
        vsub.f32 s2, s6, s8
        vsub.f32 s3, s7, s9
        vmul.f32 s0, s0, s0
        vmul.f32 s1, s1, s1
        vmul.f32 s2, s2, s2
        vmul.f32 s3, s3, s3
        vadd.f32 s0, s0, s1
        vadd.f32 s2, s2, s3
        vstr    s0, [r12]
        vstr    s2, [r11]
        subs    r10, r10, #1
        bne     2b
        lsls    r7, r7, #1
        b       1b
3:
        pop     {r4-r11, pc}
        END_FUNCTION ts_fpu_powers_of_pairs

        /* void ts_fpu_products(const float *a, const float *b, float *out, int32_t count), count at least 1.
         * Stack: 40 bytes. */
        BEGIN_FUNCTION ts_fpu_products
        push    {r4, lr}
        CFI_PUSHED 4, 4
        vpush   {s16-s23}
        .cfi_adjust_cfa_offset 32
        subs    r3, r3, #8
        blo     2f
1:
        vldmia  r0!, {s0-s7}
        vldmia  r1!, {s8-s15}
        vmul.f32 s16, s0, s8
        vmul.f32 s17, s1, s9
        vmul.f32 s18, s2, s10
        vmul.f32 s19, s3, s11
        vmul.f32 s20, s4, s12
        vmul.f32 s21, s5, s13
        vmul.f32 s22, s6, s14
        vmul.f32 s23, s7, s15
        vstmia  r2!, {s16-s23}
        subs    r3, r3, #8
        bhs     1b
2:
        adds    r3, r3, #8
        beq     4f
3:
        vldmia  r0!, {s0}
        vldmia  r1!, {s1}
        vmul.f32 s0, s0, s1
        vstmia  r2!, {s0}
        subs    r3, r3, #1
        bne     3b
4:
        vpop    {s16-s23}
        .cfi_adjust_cfa_offset -32
        pop     {r4, pc}
        END_FUNCTION ts_fpu_products
