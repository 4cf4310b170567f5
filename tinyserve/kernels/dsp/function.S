/* SPDX-License-Identifier: Apache-2.0 */
/* Functions for Armv7E-M with DSP and later. Included by the others. */

        .arch   armv7e-m
#include "../common/thumb_function.S"
