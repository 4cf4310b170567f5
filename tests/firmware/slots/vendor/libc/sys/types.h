/* SPDX-License-Identifier: Apache-2.0 */
/* For compilers without a C library. */
#ifndef STAND_IN_SYS_TYPES_H
#define STAND_IN_SYS_TYPES_H

typedef long off_t;

#endif
