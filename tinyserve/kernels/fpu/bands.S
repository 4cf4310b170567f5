/* SPDX-License-Identifier: Apache-2.0 */
/* Banded matrices in float32, four products per pair of loads. FPv4-SP and later (Cortex-M4F, M7, M33).
 *
 * Products are rounded before they are added, in the order of the inputs: the results are those of kernels/bands.h. */

#include "function.S"

        /* void ts_fpu_bands_row(job, const float *input, float *output)
         * job: bands (at least 1), starts, counts, weights. Stack: 32 bytes. */
        BEGIN_FUNCTION ts_fpu_bands_row
        push    {r4-r10, lr}
        CFI_PUSHED 4, 10
        ldm     r0, {r3, r4, r5, r6}
        movs    r0, #0
1:
        ldr     r7, [r4], #4
        ldr     r8, [r5], #4
        add     r7, r1, r7, lsl #2
        vmov    s8, r0
        subs    r8, r8, #4
        blo     3f
2:
        vldmia  r7!, {s0-s3}
        vldmia  r6!, {s4-s7}
        vmul.f32 s0, s0, s4
        vmul.f32 s1, s1, s5
        vmul.f32 s2, s2, s6
        vmul.f32 s3, s3, s7
        vadd.f32 s8, s8, s0
        vadd.f32 s8, s8, s1
        vadd.f32 s8, s8, s2
        vadd.f32 s8, s8, s3
        subs    r8, r8, #4
        bhs     2b
3:
        adds    r8, r8, #4
        beq     5f
4:
        vldmia  r7!, {s0}
        vldmia  r6!, {s4}
        vmul.f32 s0, s0, s4
        vadd.f32 s8, s8, s0
        subs    r8, r8, #1
        bne     4b
5:
        vstmia  r2!, {s8}
        subs    r3, r3, #1
        bne     1b
        pop     {r4-r10, pc}
        END_FUNCTION ts_fpu_bands_row
