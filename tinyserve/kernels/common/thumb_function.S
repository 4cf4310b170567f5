/* SPDX-License-Identifier: Apache-2.0 */
/* What every Thumb function of ours begins and ends with. Included by the function.S of each instruction set, which
 * names its architecture first: some vendors assemble without -mcpu.
 *
 * A function lies in a section of its own, so that the linker leaves out what no layer calls; it is weak, so that two
 * models in one firmware may both bring it (codegen gives it a name that holds a hash of its source: only equal ones are
 * shared). Directives for unwinding go to .debug_frame, which takes no flash. */

        .syntax unified
        .thumb
        .cfi_sections .debug_frame

        .macro  BEGIN_FUNCTION name
        .section .text.\name, "ax", %progbits
        .p2align 2
        .weak   \name
        .type   \name, %function
        .thumb_func
\name:
        .cfi_startproc
        .endm

        .macro  END_FUNCTION name
        .cfi_endproc
        .size   \name, . - \name
        .endm

        /* After push {r<first>-r<last>, lr}. */
        .macro  CFI_PUSHED first, last
        .cfi_adjust_cfa_offset 4 * (\last - \first + 2)
        .irp    number, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12
        .if     \number >= \first && \number <= \last
        .cfi_rel_offset \number, 4 * (\number - \first)
        .endif
        .endr
        .cfi_rel_offset 14, 4 * (\last - \first + 1)
        .endm

        /* After push {r4-r<4 + count - 1>} of what was in r8 and up, as Armv6-M saves them. */
        .macro  CFI_PUSHED_HIGH count
        .cfi_adjust_cfa_offset 4 * \count
        .irp    number, 8, 9, 10, 11
        .if     \number < 8 + \count
        .cfi_rel_offset \number, 4 * (\number - 8)
        .endif
        .endr
        .endm

        /* After their pop: the registers have their callers' values when the function ends. */
        .macro  CFI_POPPED_HIGH count
        .cfi_adjust_cfa_offset -4 * \count
        .endm
