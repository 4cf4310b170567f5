/* SPDX-License-Identifier: Apache-2.0 */
/* Depthwise 3x3 windows over rows of one channel, for RV32M. The nine weights and the window, whose columns change places
 * as it slides, take 18 registers; what one output needs once lies on the stack. */

#include "function.S"

        .equ    BIAS, 0
        .equ    ROUNDING, 4
        .equ    LOW, 8
        .equ    HIGH, 12
        .equ    ROW, 16
        .equ    PITCH, 20
        .equ    WIDTH, 24
        .equ    ROWS, 28
        .equ    SAVED, 32
        .equ    FRAME, 96

        /* ts_rv32m_windows, in this order. */
        .equ    ARG_ROW, 0
        .equ    ARG_PITCH, 4
        .equ    ARG_WIDTH, 8
        .equ    ARG_ROWS, 12
        .equ    ARG_STEP, 16
        .equ    ARG_LOW, 20
        .equ    ARG_HIGH, 24

        .macro  EACH_SAVED instruction
        \instruction ra, SAVED + 0(sp)
        \instruction s0, SAVED + 4(sp)
        \instruction s1, SAVED + 8(sp)
        \instruction s2, SAVED + 12(sp)
        \instruction s3, SAVED + 16(sp)
        \instruction s4, SAVED + 20(sp)
        \instruction s5, SAVED + 24(sp)
        \instruction s6, SAVED + 28(sp)
        \instruction s7, SAVED + 32(sp)
        \instruction s8, SAVED + 36(sp)
        \instruction s9, SAVED + 40(sp)
        \instruction s10, SAVED + 44(sp)
        \instruction s11, SAVED + 48(sp)
        .endm

        .macro  COLUMN offset, top, middle, bottom
        lb      \top, \offset(t1)
        lb      \middle, \offset(t2)
        lb      \bottom, \offset(t3)
        .endm

        .macro  ACCUMULATE input, weight
        mul     t6, \input, \weight
        add     t5, t5, t6
        .endm

        /* One output: ts_rv32m_requantize of the window's sum. To `done` after the last of a row. */
        .macro  OUTPUT l0, l1, l2, m0, m1, m2, r0, r1, r2, done
        lw      t5, BIAS(sp)
        ACCUMULATE \l0, s0
        ACCUMULATE \m0, s1
        ACCUMULATE \r0, s2
        ACCUMULATE \l1, s3
        ACCUMULATE \m1, s4
        ACCUMULATE \r1, s5
        ACCUMULATE \l2, s6
        ACCUMULATE \m2, s7
        ACCUMULATE \r2, s8
        slli    t5, t5, 1
        mul     t6, t5, ra
        mulh    t5, t5, ra
        srli    t6, t6, 31
        add     t5, t5, t6
        srai    t6, t5, 31
        add     t5, t5, t6
        lw      t6, ROUNDING(sp)
        add     t5, t5, t6
        sra     t5, t5, t4
        lw      t6, LOW(sp)
        bge     t5, t6, 7f
        mv      t5, t6
7:
        lw      t6, HIGH(sp)
        ble     t5, t6, 8f
        mv      t5, t6
8:
        sb      t5, 0(s9)
        add     s9, s9, s10
        addi    s11, s11, -1
        beqz    s11, \done
        .endm

        /* void ts_rv32m_windows_sN(const ts_rv32m_windows *windows, const int8_t weights[9],
         *                          const ts_rv32m_channel *channel, int8_t *output)
         * s0-s8 weights, t1-t3 rows, s9 output, s10 bytes between outputs, s11 outputs left, ra multiplier, t4 shift; the
         * window's columns in a0-a2, a3-a5 and a6, a7, t0. Stack: 96 bytes. */
        .macro  BEGIN_WINDOWS name
        BEGIN_FUNCTION \name
        addi    sp, sp, -FRAME
        EACH_SAVED sw
        CFI_SAVED_S FRAME, SAVED + 4
        .cfi_rel_offset ra, SAVED
        lb      s0, 0(a1)
        lb      s1, 1(a1)
        lb      s2, 2(a1)
        lb      s3, 3(a1)
        lb      s4, 4(a1)
        lb      s5, 5(a1)
        lb      s6, 6(a1)
        lb      s7, 7(a1)
        lb      s8, 8(a1)
        mv      s9, a3
        lw      s10, ARG_STEP(a0)
        lw      t1, ARG_ROW(a0)
        lw      t2, ARG_PITCH(a0)
        lw      t3, ARG_WIDTH(a0)
        lw      t4, ARG_ROWS(a0)
        lw      t5, ARG_LOW(a0)
        lw      t6, ARG_HIGH(a0)
        sw      t1, ROW(sp)
        sw      t2, PITCH(sp)
        sw      t3, WIDTH(sp)
        sw      t4, ROWS(sp)
        sw      t5, LOW(sp)
        sw      t6, HIGH(sp)
        lw      t5, 0(a2)
        lw      ra, 4(a2)
        lw      t4, 8(a2)
        lw      t6, 12(a2)
        sw      t5, BIAS(sp)
        sw      t6, ROUNDING(sp)
        /* The first of three input rows is in ROW, the others follow by PITCH. */
1:
        lw      t1, ROW(sp)
        lw      t6, PITCH(sp)
        lw      s11, WIDTH(sp)
        add     t2, t1, t6
        add     t3, t2, t6
        .endm

        .macro  END_WINDOWS name, next_row
5:
        lw      t6, ROWS(sp)
        lw      t5, ROW(sp)
        lw      t1, PITCH(sp)
        addi    t6, t6, -1
        sw      t6, ROWS(sp)
        .rept   \next_row
        add     t5, t5, t1
        .endr
        sw      t5, ROW(sp)
        bnez    t6, 1b
        EACH_SAVED lw
        addi    sp, sp, FRAME
        ret
        END_FUNCTION \name
        .endm

        BEGIN_WINDOWS ts_rv32m_windows_s1
        COLUMN  0, a0, a1, a2
        COLUMN  1, a3, a4, a5
2:
        COLUMN  2, a6, a7, t0
        OUTPUT  a0, a1, a2, a3, a4, a5, a6, a7, t0, 5f
        COLUMN  3, a0, a1, a2
        OUTPUT  a3, a4, a5, a6, a7, t0, a0, a1, a2, 5f
        COLUMN  4, a3, a4, a5
        addi    t1, t1, 3
        addi    t2, t2, 3
        addi    t3, t3, 3
        OUTPUT  a6, a7, t0, a0, a1, a2, a3, a4, a5, 5f
        j       2b
        END_WINDOWS ts_rv32m_windows_s1, 1

        BEGIN_WINDOWS ts_rv32m_windows_s2
        COLUMN  0, a0, a1, a2
2:
        COLUMN  1, a3, a4, a5
        COLUMN  2, a6, a7, t0
        addi    t1, t1, 2
        addi    t2, t2, 2
        addi    t3, t3, 2
        OUTPUT  a0, a1, a2, a3, a4, a5, a6, a7, t0, 5f
        mv      a0, a6
        mv      a1, a7
        mv      a2, t0
        j       2b
        END_WINDOWS ts_rv32m_windows_s2, 2
