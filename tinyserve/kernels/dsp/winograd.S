/* SPDX-License-Identifier: Apache-2.0 */
/* Convolution 3x3 by minimal filtering, F(2x2, 3x3) of Winograd (Lavin and Gray, 2015): 16 products instead of 36 for
 * 2x2 outputs. Integers throughout: the filters are scaled by 4, so all sums are exact. Armv7E-M with DSP and later.
 *
 * A tile is a window of 4x4 inputs, which gives 2x2 outputs. Two neighbouring tiles are computed at a time.
 *
 * Inputs V = B' d B, as words of two channels: int32_t v[quads of channels][2][16 positions][2 tiles], bytes 0 and 2 of a
 * quad first, then 1 and 3. Filters U = G g G' likewise: [blocks of 4 output channels][16][quads][2][4 output channels].
 * Products M = sum of U V: int32_t m[16][4 output channels][2 tiles]. Outputs Y = A' M A, 4 times the accumulators. */

#include "function.S"

        /* Stack frame of the inputs: rows of 6 columns for each of [2 parities][4], then: */
        .equ    COLUMNS_BYTES, 24
        .equ    ROWS_BYTES, 192
        .equ    COLUMN_STEP, 192
        .equ    QUADS, 196
        .equ    V, 200
        .equ    INPUT_FRAME, 212

        /* The four inputs of a column in a to d become a - c, b + c, c - b, b - d. */
        .macro  DOWN a, b, c, d, offset
        ssub16  \a, \a, \c
        str     \a, [lr, #\offset]
        ssub16  \d, \b, \d
        str     \d, [lr, #\offset + 3 * COLUMNS_BYTES]
        sadd16  \a, \b, \c
        str     \a, [lr, #\offset + COLUMNS_BYTES]
        ssub16  \c, \c, \b
        str     \c, [lr, #\offset + 2 * COLUMNS_BYTES]
        .endm

        /* void ts_dsp_winograd_input(const int8_t *const rows[4], int32_t column_step, int32_t quads, int32_t *v)
         * 4 rows of 6 columns of 4 * quads channels, columns column_step bytes apart. Stack: 248 bytes. */
        BEGIN_FUNCTION ts_dsp_winograd_input
        push    {r4-r11, lr}
        CFI_PUSHED 4, 11
        sub     sp, sp, #INPUT_FRAME
        .cfi_adjust_cfa_offset INPUT_FRAME
        strd    r1, r2, [sp, #COLUMN_STEP]
        str     r3, [sp, #V]
        ldm     r0, {r0-r3}
1:
        movs    r8, #0
        mov     lr, sp
2:
        ldr     r4, [r0, r8]
        ldr     r5, [r1, r8]
        ldr     r6, [r2, r8]
        ldr     r7, [r3, r8]
        sxtb16  r9, r4
        sxtb16  r10, r5
        sxtb16  r11, r6
        sxtb16  r12, r7
        sxtb16  r4, r4, ror #8
        sxtb16  r5, r5, ror #8
        sxtb16  r6, r6, ror #8
        sxtb16  r7, r7, ror #8
        DOWN    r9, r10, r11, r12, 0
        DOWN    r4, r5, r6, r7, 4 * COLUMNS_BYTES
        ldr     r4, [sp, #COLUMN_STEP]
        add     r8, r8, r4
        add     lr, lr, #4
        add     r4, sp, #COLUMNS_BYTES
        cmp     lr, r4
        bne     2b
        ldr     lr, [sp, #V]
        mov     r12, sp
        /* The same across: columns 0 to 3 are the first tile's, 2 to 5 the second's. */
3:
        ldm     r12!, {r4-r9}
        ssub16  r10, r4, r6
        ssub16  r11, r6, r8
        strd    r10, r11, [lr], #8
        sadd16  r10, r5, r6
        sadd16  r11, r7, r8
        strd    r10, r11, [lr], #8
        ssub16  r10, r6, r5
        ssub16  r11, r8, r7
        strd    r10, r11, [lr], #8
        ssub16  r10, r5, r7
        ssub16  r11, r7, r9
        strd    r10, r11, [lr], #8
        add     r10, sp, #ROWS_BYTES
        cmp     r12, r10
        bne     3b
        str     lr, [sp, #V]
        adds    r0, r0, #4
        adds    r1, r1, #4
        adds    r2, r2, #4
        adds    r3, r3, #4
        ldr     r4, [sp, #QUADS]
        subs    r4, r4, #1
        str     r4, [sp, #QUADS]
        bne     1b
        add     sp, sp, #INPUT_FRAME
        .cfi_adjust_cfa_offset -INPUT_FRAME
        pop     {r4-r11, pc}
        END_FUNCTION ts_dsp_winograd_input

        /* Stack frame of the products. */
        .equ    POSITION_END, 0
        .equ    M_NEXT, 4
        .equ    M_END, 8
        .equ    BACK, 12
        .equ    ENTRY, 16
        .equ    M, 20
        .equ    V_START, 24
        .equ    OUTPUT, 28
        .equ    POSITION_BYTES, 32
        .equ    RECORD, 36
        .equ    WEIGHTS, 40
        .equ    BLOCKS, 44
        .equ    PIXEL_STEP, 48
        .equ    ROW_STEP, 52
        .equ    FRAME, 60

        .equ    M_BYTES, 512
        .equ    POSITION, 32 /* bytes of m per position */

        /* Two input channels of 2 tiles and 4 output channels: 11 instructions of 4 bytes, 16 products.
         * r0 weights, r1 inputs, r4-r11 sums. */
        .macro  STEP
        ldrd    r2, r3, [r1], #128
        ldrd    r12, lr, [r0], #8
        smlad   r4, r2, r12, r4
        smlad   r5, r3, r12, r5
        smlad   r6, r2, lr, r6
        smlad   r7, r3, lr, r7
        ldrd    r12, lr, [r0], #8
        smlad   r8, r2, r12, r8
        smlad   r9, r3, r12, r9
        smlad   r10, r2, lr, r10
        smlad   r11, r3, lr, r11
        .endm

        .equ    STEP_BYTES, 44

        /* Four products of a column of m, down to two. */
        .macro  COLUMN number, tile, upper, lower
        ldr     r12, [r0, #POSITION * \number + 4 * \tile]
        ldr     lr, [r0, #POSITION * (\number + 4) + 4 * \tile]
        .if     \number == 1
        ldr     r2, [r1, #12]
        add     lr, lr, r2
        .endif
        ldr     r2, [r0, #POSITION * (\number + 8) + 4 * \tile]
        ldr     r3, [r0, #POSITION * (\number + 12) + 4 * \tile]
        add     \upper, r12, lr
        sub     \lower, lr, r2
        add     \upper, \upper, r2
        sub     \lower, \lower, r3
        .endm

        /* The four outputs of a tile and a channel; r0 its products, r1 its record. 4 times the bias, which the record
         * holds, is added where it reaches all four. */
        .macro  OUTPUTS tile, relu
        COLUMN  0, \tile, r4, r8
        COLUMN  1, \tile, r5, r9
        COLUMN  2, \tile, r6, r10
        COLUMN  3, \tile, r7, r11
        add     r4, r4, r5
        sub     r5, r5, r6
        add     r8, r8, r9
        sub     r9, r9, r10
        add     r4, r4, r6
        sub     r5, r5, r7
        add     r8, r8, r10
        sub     r9, r9, r11
        ldm     r1, {r2, r3, r12}
        .if     \relu
        .irp    sum, r4, r5, r8, r9
        smmla   \sum, \sum, r2, r12
        .endr
        .irp    sum, r4, r5, r8, r9
        asr     \sum, \sum, r3
        .endr
        .irp    sum, r4, r5, r8, r9
        ssat    \sum, #8, \sum, asr #1
        .endr
        .else
        .irp    sum, r4, r5, r8, r9
        asr     \sum, \sum, #1
        smmlar  lr, \sum, r2, r12
        add     lr, lr, \sum, asr #31
        asr     lr, lr, r3
        ssat    \sum, #8, lr, asr #1
        .endr
        .endif
        ldr     r6, [sp, #OUTPUT]
        ldrd    r10, r11, [sp, #PIXEL_STEP]
        .if     \tile
        add     r6, r6, r10, lsl #1
        .endif
        strb    r4, [r6]
        strb    r5, [r6, r10]
        add     r6, r6, r11
        strb    r8, [r6]
        strb    r9, [r6, r10]
        .endm

        /* void name(job, const int32_t *v, int32_t *m, int8_t *output): all channels of two tiles.
         * job: steps (pairs of input channels, even), blocks, weights, records, bytes between pixels and between rows of the
         * output. A record, per channel: multiplier, shift, rounding, 4 times the bias with the zero point folded in.
         *
         * Requantization as in matmul.S, r the right shift, zp the zero point. With Y = 4 acc and f = floor(Y m / 2^32)
         * the first rounding is (f + 1) >> 1. The relu kernel sums floors: (f + 1 + ((2 zp + 1) << r)) >> (r + 1), shift r.
         * The plain one takes Y / 2, rounding (2 zp + 1) << (r - 1) and shift r - 1. Stack: 96 bytes. */
        .macro  MULTIPLY name, relu
        BEGIN_FUNCTION \name
        push    {r4-r11, lr}
        CFI_PUSHED 4, 11
        sub     sp, sp, #FRAME
        .cfi_adjust_cfa_offset FRAME
        ldm     r0, {r4-r9}
        str     r2, [sp, #M]
        str     r1, [sp, #V_START]
        str     r3, [sp, #OUTPUT]
        str     r5, [sp, #BLOCKS]
        str     r7, [sp, #RECORD]
        strd    r8, r9, [sp, #PIXEL_STEP]
        add     r2, r2, #M_BYTES
        str     r2, [sp, #M_END]
        lsl     r2, r4, #4
        str     r2, [sp, #POSITION_BYTES]
        lsl     r2, r4, #7
        sub     r2, r2, #8
        str     r2, [sp, #BACK]
        /* After the first step, enter the loop of 8 where a multiple of 8 remains. */
        adr.w   r2, 1f
        rsb     r4, r4, #1
        and     r4, r4, #7
        movs    r3, #STEP_BYTES
        mla     r2, r4, r3, r2
        orr     r2, r2, #1
        str     r2, [sp, #ENTRY]
        mov     r0, r6
0:
        ldr     r1, [sp, #V_START]
        ldr     r3, [sp, #M]
        ldr     r2, [sp, #POSITION_BYTES]
        add     r2, r2, r0
        strd    r2, r3, [sp, #POSITION_END]
5:
        ldrd    r2, r3, [r1], #128
        ldrd    r12, lr, [r0], #8
        smuad   r4, r2, r12
        smuad   r5, r3, r12
        smuad   r6, r2, lr
        smuad   r7, r3, lr
        ldrd    r12, lr, [r0], #8
        smuad   r8, r2, r12
        smuad   r9, r3, r12
        smuad   r10, r2, lr
        smuad   r11, r3, lr
        ldr     pc, [sp, #ENTRY]
        .p2align 2
1:
        .rept   8
        STEP
        .endr
        ldr     r2, [sp, #POSITION_END]
        cmp     r0, r2
        bne     1b
        ldrd    r3, r12, [sp, #M_NEXT]
        stm     r3!, {r4-r11}
        ldr     lr, [sp, #POSITION_BYTES]
        add     r2, r2, lr
        strd    r2, r3, [sp, #POSITION_END]
        ldr     lr, [sp, #BACK]
        sub     r1, r1, lr
        cmp     r3, r12
        bne     5b
        str     r0, [sp, #WEIGHTS]
        ldr     r0, [sp, #M]
        ldr     r1, [sp, #RECORD]
6:
        OUTPUTS 0, \relu
        OUTPUTS 1, \relu
        ldr     r2, [sp, #OUTPUT]
        adds    r2, r2, #1
        str     r2, [sp, #OUTPUT]
        adds    r1, r1, #16
        adds    r0, r0, #8
        ldr     r2, [sp, #M]
        adds    r2, r2, #POSITION
        cmp     r0, r2
        bne     6b
        str     r1, [sp, #RECORD]
        ldr     r0, [sp, #WEIGHTS]
        ldr     r2, [sp, #BLOCKS]
        subs    r2, r2, #1
        str     r2, [sp, #BLOCKS]
        bne     0b
        add     sp, sp, #FRAME
        .cfi_adjust_cfa_offset -FRAME
        pop     {r4-r11, pc}
        END_FUNCTION \name
        .endm

        MULTIPLY ts_dsp_winograd_s8, 0
        MULTIPLY ts_dsp_winograd_relu_s8, 1
