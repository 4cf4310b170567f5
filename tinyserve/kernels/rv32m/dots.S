/* SPDX-License-Identifier: Apache-2.0 */
/* Sums of products of 4 pixels and 4 channels, for RV32M: 8 loads for 16 products. Compilers spill half of the sums. */

#include "function.S"

        .macro  EACH_SAVED instruction
        \instruction s0, 0(sp)
        \instruction s1, 4(sp)
        \instruction s2, 8(sp)
        \instruction s3, 12(sp)
        \instruction s4, 16(sp)
        \instruction s5, 20(sp)
        \instruction s6, 24(sp)
        \instruction s7, 28(sp)
        \instruction s8, 32(sp)
        \instruction s9, 36(sp)
        \instruction s10, 40(sp)
        \instruction s11, 44(sp)
        .endm

        /* One channel of one tap: its weight times the four inputs in t0-t3. */
        .macro  CHANNEL offset, s0, s1, s2, s3
        lb      t4, \offset(a1)
        mul     t5, t4, t0
        add     \s0, \s0, t5
        mul     t6, t4, t1
        add     \s1, \s1, t6
        mul     t5, t4, t2
        add     \s2, \s2, t5
        mul     t6, t4, t3
        add     \s3, \s3, t6
        .endm

        .macro  TAP offset
        lb      t0, \offset + 0(a0)
        lb      t1, \offset + 1(a0)
        lb      t2, \offset + 2(a0)
        lb      t3, \offset + 3(a0)
        CHANNEL \offset + 0, a4, a5, a6, a7
        CHANNEL \offset + 1, s0, s1, s2, s3
        CHANNEL \offset + 2, s4, s5, s6, s7
        CHANNEL \offset + 3, s8, s9, s10, s11
        .endm

        /* The four sums of a channel start with its bias, the first word of its 16 bytes. */
        .macro  BIAS channel, s0, s1, s2, s3
        lw      \s0, 16 * \channel(a3)
        mv      \s1, \s0
        mv      \s2, \s0
        mv      \s3, \s0
        .endm

        /* ts_rv32m_requantize of one sum. t0 multiplier, t1 shift, t2 rounding, t3 and t4 the activation's bounds. */
        .macro  REQUANTIZE sum, channel, pixel
        slli    \sum, \sum, 1
        mul     t5, \sum, t0
        mulh    \sum, \sum, t0
        srli    t5, t5, 31
        add     \sum, \sum, t5
        srai    t5, \sum, 31
        add     \sum, \sum, t5
        add     \sum, \sum, t2
        sra     \sum, \sum, t1
        bge     \sum, t3, 7f
        mv      \sum, t3
7:
        ble     \sum, t4, 8f
        mv      \sum, t4
8:
        sb      \sum, \channel(\pixel)
        .endm

        .macro  STORE channel, s0, s1, s2, s3
        lw      t0, 16 * \channel + 4(a3)
        lw      t1, 16 * \channel + 8(a3)
        lw      t2, 16 * \channel + 12(a3)
        REQUANTIZE \s0, \channel, a0
        REQUANTIZE \s1, \channel, a1
        REQUANTIZE \s2, \channel, a2
        REQUANTIZE \s3, \channel, t6
        .endm

        /* void ts_rv32m_dots_4x4(const ts_rv32m_block *block, const int8_t *weights,
         *                        const ts_rv32m_channel channels[4], int8_t *output)
         * block: patch, its end, bytes between output pixels, the activation's bounds. Stack: 64 bytes. */
        BEGIN_FUNCTION ts_rv32m_dots_4x4
        addi    sp, sp, -64
        EACH_SAVED sw
        CFI_SAVED_S 64, 0
        sw      a0, 56(sp)
        sw      a3, 60(sp)
        mv      a3, a2
        lw      a2, 4(a0)
        lw      a0, 0(a0)
        BIAS    0, a4, a5, a6, a7
        BIAS    1, s0, s1, s2, s3
        BIAS    2, s4, s5, s6, s7
        BIAS    3, s8, s9, s10, s11
1:
        TAP     0
        TAP     4
        addi    a0, a0, 8
        addi    a1, a1, 8
        bne     a0, a2, 1b
        lw      t5, 56(sp)
        lw      a0, 60(sp)
        lw      t6, 8(t5)
        lw      t3, 12(t5)
        lw      t4, 16(t5)
        add     a1, a0, t6
        add     a2, a1, t6
        add     t6, a2, t6
        STORE   0, a4, a5, a6, a7
        STORE   1, s0, s1, s2, s3
        STORE   2, s4, s5, s6, s7
        STORE   3, s8, s9, s10, s11
        EACH_SAVED lw
        addi    sp, sp, 64
        ret
        END_FUNCTION ts_rv32m_dots_4x4
