/* SPDX-License-Identifier: Apache-2.0 */
/* Functions for Armv6-M and later. Included by the others. */

    .arch armv6-m
#include "../common/thumb_function.S"
