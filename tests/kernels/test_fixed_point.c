/* SPDX-License-Identifier: Apache-2.0 */
/* Requantization against its definition in exact arithmetic, at the edges and at random. */
#include <math.h>

#include "check.h"
#include "common/fixed_point.h"

static const int32_t edges[] = {
    INT32_MIN, INT32_MIN + 1, -(1 << 30) - 1, -(1 << 30),    -65537,  -32768,        -129,     -3, -2, -1, 0, 1, 2, 3,
    127,       32767,         65536,          (1 << 30) - 1, 1 << 30, INT32_MAX - 1, INT32_MAX};
enum { EDGES = sizeof edges / sizeof edges[0] };

/* Nearest integer to a product's 2^31th part, ties upwards. long double holds 64-bit products exactly. */
static int32_t high_by_definition(int32_t a, int32_t b)
{
    const long double value = floorl((long double)a * b / 2147483648.0L + 0.5L);
    return value > INT32_MAX ? INT32_MAX : (int32_t)value;
}

static int32_t divide_by_definition(int32_t value, int32_t bits)
{
    const double exact = ldexp(value, -bits);
    return (int32_t)round(exact); /* ties away from zero */
}

static void check_pair(int32_t a, int32_t b)
{
    CHECK_EQUAL(ts_multiply_high(a, b), high_by_definition(a, b));
    if (a != INT32_MIN || b != INT32_MIN) {
        CHECK_EQUAL(ts_multiply_high_by_halves(a, b), high_by_definition(a, b));
    }
    for (int32_t bits = 0; bits <= 31; bits++) {
        CHECK_EQUAL(ts_divide_by_power_of_two(a, bits), divide_by_definition(a, bits));
    }
}

static void check_requantize(int32_t value, int32_t multiplier, int32_t shift)
{
    const int32_t left = shift > 0 ? shift : 0;
    const int32_t shifted = (int32_t)((uint32_t)value << left);
    const int32_t expected = divide_by_definition(high_by_definition(shifted, multiplier), shift > 0 ? 0 : -shift);
    CHECK_EQUAL(ts_requantize(value, multiplier, shift), expected);
}

int main(void)
{
    for (int i = 0; i < EDGES; i++) {
        for (int j = 0; j < EDGES; j++) {
            check_pair(edges[i], edges[j]);
        }
        CHECK_EQUAL(ts_clamp(edges[i], -128, 127), edges[i] < -128 ? -128 : edges[i] > 127 ? 127 : edges[i]);
    }
    for (int i = 0; i < 20000; i++) {
        check_pair((int32_t)random_bits(), (int32_t)random_bits());
        check_requantize((int32_t)random_bits(), random_between(1 << 30, INT32_MAX), random_between(-31, 30));
    }
    CHECK_EQUAL(ts_wrap_add(INT32_MAX, 1), INT32_MIN);
    CHECK_EQUAL(ts_wrap_shift_left(INT32_MIN, 1), 0);
    return 0;
}
