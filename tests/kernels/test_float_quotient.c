/* SPDX-License-Identifier: Apache-2.0 */
/* Rounded quotients by integers against this machine's division: at random, and around every place where they step. */
#include "check.h"
#include "common/float_quotient.h"

static float from(uint32_t bits)
{
    ts_float_bits value;
    value.bits = bits;
    return value.value;
}

static void check(float value, float divisor, int32_t low, int32_t high)
{
    const ts_divisor by = ts_divisor_of(divisor);
    CHECK_EQUAL(ts_rounded_quotient(value, &by, low, high), ts_round_to_int(value / divisor, low, high));
}

static void check_around(float value, float divisor, int32_t low, int32_t high)
{
    ts_float_bits bits;
    bits.value = value;
    for (uint32_t i = 0; i < 7; i++) {
        check(from(bits.bits + i - 3), divisor, low, high);
    }
}

static float any_divisor(void)
{
    const uint32_t exponent = (uint32_t)random_between(TS_LEAST_DIVISOR, TS_MOST_DIVISOR);
    const uint32_t few = random_bits() % 24; /* of which some are round numbers */
    return from(exponent << 23 | ((random_bits() & 0x7fffff) >> few << few));
}

int main(void)
{
    const uint32_t special[] = {0x00000000, 0x80000000, 0x00000001, 0x80000001, 0x007fffff, 0x00800000,
                                0x7f7fffff, 0xff7fffff, 0x7f800000, 0xff800000, 0x7fc00000, 0xffc00000};
    for (int i = 0; i < 20000; i++) {
        const float divisor = any_divisor();
        CHECK_EQUAL(ts_divides_by_integers(divisor), 1);
        const int32_t zero_point = random_between(-128, 127), low = -128 - zero_point, high = 127 - zero_point;
        for (uint32_t s = 0; s < sizeof special / sizeof special[0]; s++) {
            check(from(special[s]), divisor, low, high);
        }
        const float sign = (random_bits() & 1) != 0 ? 1.0f : -1.0f;
        const float half = (float)random_between(0, 255) + 0.5f, wide = (float)random_between(0, 65535) + 0.5f;
        check_around(sign * half * divisor, divisor, low, high);
        check_around(sign * 0.5f * divisor, divisor, low, high);
        check_around(sign * wide * divisor, divisor, -65535, 65535);
        check(from(random_bits()), divisor, INT16_MIN, INT16_MAX);
        check(divisor * (float)random_between(-70000, 70000) / 3.0f, divisor, INT16_MIN, INT16_MAX);
    }
    CHECK_EQUAL(ts_divides_by_integers(from(1u << 23)), 0);
    CHECK_EQUAL(ts_divides_by_integers(from(250u << 23)), 0);
    CHECK_EQUAL(ts_divides_by_integers(-1.0f), 0);
    return 0;
}
