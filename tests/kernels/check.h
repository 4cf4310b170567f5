/* SPDX-License-Identifier: Apache-2.0 */
/* The least that a C test needs: checks that say where they failed, and numbers that look random. */
#ifndef TS_TEST_CHECK_H
#define TS_TEST_CHECK_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define CHECK_EQUAL(found, expected)                                                                                   \
    do {                                                                                                               \
        const long long found_ = (long long)(found), expected_ = (long long)(expected);                                \
        if (found_ != expected_) {                                                                                     \
            fprintf(stderr, "%s:%d: %s is %lld, not %lld\n", __FILE__, __LINE__, #found, found_, expected_);           \
            exit(1);                                                                                                   \
        }                                                                                                              \
    } while (0)

static uint32_t random_state = 12345;

static inline uint32_t random_bits(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 17;
    random_state ^= random_state << 5;
    return random_state;
}

/* low <= result <= high */
static inline int32_t random_between(int32_t low, int32_t high)
{
    return low + (int32_t)(random_bits() % ((uint32_t)(high - low) + 1));
}

static inline void fill_random(int8_t *values, int32_t count)
{
    for (int32_t i = 0; i < count; i++) {
        values[i] = (int8_t)random_between(-128, 127);
    }
}

#endif
