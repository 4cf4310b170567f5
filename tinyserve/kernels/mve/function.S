/* SPDX-License-Identifier: Apache-2.0 */
/* Functions for Armv8.1-M with MVE. Included by the others. The assemblers have no word for it in common. */

#if defined(__clang__)
        .cpu    cortex-m55
#else
        .arch   armv8.1-m.main
        .arch_extension mve
#endif
#include "../common/thumb_function.S"
