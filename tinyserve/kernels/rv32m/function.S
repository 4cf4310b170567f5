/* SPDX-License-Identifier: Apache-2.0 */
/* Functions for RV32IM. Included by the others. As ../common/thumb_function.S has them. */

        .cfi_sections .debug_frame

        .macro  BEGIN_FUNCTION name
        .section .text.\name, "ax", %progbits
        .p2align 2
        .weak   \name
        .type   \name, %function
\name:
        .cfi_startproc
        .endm

        .macro  END_FUNCTION name
        .cfi_endproc
        .size   \name, . - \name
        .endm

        /* After the frame is taken and s0 to s11 are stored from `at` on in it. */
        .macro  CFI_SAVED_S frame, at
        .cfi_def_cfa_offset \frame
        .cfi_rel_offset s0, \at + 0
        .cfi_rel_offset s1, \at + 4
        .cfi_rel_offset s2, \at + 8
        .cfi_rel_offset s3, \at + 12
        .cfi_rel_offset s4, \at + 16
        .cfi_rel_offset s5, \at + 20
        .cfi_rel_offset s6, \at + 24
        .cfi_rel_offset s7, \at + 28
        .cfi_rel_offset s8, \at + 32
        .cfi_rel_offset s9, \at + 36
        .cfi_rel_offset s10, \at + 40
        .cfi_rel_offset s11, \at + 44
        .endm
