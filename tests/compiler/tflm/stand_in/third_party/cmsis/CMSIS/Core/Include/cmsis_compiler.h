#pragma once

#define __STATIC_FORCEINLINE static inline
