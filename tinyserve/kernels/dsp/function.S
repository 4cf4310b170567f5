/* A function in a section of its own, so that the linker leaves out what no layer calls; weak, so that two models in one
 * firmware may both bring it. Included by the others. */

        .syntax unified
        .thumb

        .macro  BEGIN_FUNCTION name
        .section .text.\name, "ax", %progbits
        .weak   \name
        .type   \name, %function
        .p2align 2
\name:
        .endm

        .macro  END_FUNCTION name
        .size   \name, . - \name
        .endm
