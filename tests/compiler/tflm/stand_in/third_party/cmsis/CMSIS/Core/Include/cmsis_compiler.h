/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#define __STATIC_FORCEINLINE static inline
