/* SPDX-License-Identifier: Apache-2.0 */
/* Functions for the single-precision FPU of Armv7E-M and later. Included by the others. */

        .arch   armv7e-m
        .fpu    fpv4-sp-d16
#include "../common/thumb_function.S"
