/* SPDX-License-Identifier: Apache-2.0 */
/* Sums of products from integers against this machine's floats: at the edges, near each other and at random. */
#include "check.h"
#include "common/float_sum.h"

static const uint32_t edges[] = {0x00000000, 0x00000001, 0x007fffff, 0x00800000, 0x00800001, 0x3f800000, 0x3f7fffff,
                                 0x3f800001, 0x40000000, 0x3f000000, 0x7f7fffff, 0x7f000000, 0x7f800000, 0x34000000,
                                 0x33800000, 0x4b7fffff, 0x4b800000, 0x20000000, 0x5f800000};
enum { EDGES = sizeof edges / sizeof edges[0] };

static float from(uint32_t bits)
{
    ts_float_bits value;
    value.bits = bits;
    return value.value;
}

static void check(uint32_t sum, uint32_t a, uint32_t b)
{
    const float product = from(a) * from(b);
    ts_float_bits want, got;
    want.value = from(sum) + product;
    got.value = ts_add_product_from_integers(from(sum), from(a), from(b));
    if (want.value != want.value) {
        CHECK_EQUAL(got.value != got.value, 1);
        return;
    }
    CHECK_EQUAL((int32_t)got.bits, (int32_t)want.bits);
}

/* A number whose exponent is within `range` of 127. */
static uint32_t near(int32_t range)
{
    return (random_bits() & 0x807fffffu) | (uint32_t)random_between(127 - range, 127 + range) << 23;
}

int main(void)
{
    for (int i = 0; i < 8 * EDGES * EDGES * EDGES; i++) {
        const int at = i >> 3;
        const uint32_t signs[] = {(uint32_t)i << 31, (uint32_t)i << 30 & 0x80000000u, (uint32_t)i << 29 & 0x80000000u};
        check(edges[at % EDGES] ^ signs[0], edges[at / EDGES % EDGES] ^ signs[1], edges[at / EDGES / EDGES] ^ signs[2]);
    }
    for (int i = 0; i < 300000; i++) {
        const uint32_t a_lead = (random_bits() >> 8) | TS_FLOAT_LEAD, b_lead = (random_bits() >> 8) | TS_FLOAT_LEAD;
        const uint32_t few = random_bits() % 24;
        CHECK_EQUAL(ts_float_product_by_parts(a_lead, b_lead), ts_float_product(a_lead, b_lead));
        CHECK_EQUAL(ts_float_product_by_parts(a_lead >> few << few, b_lead >> few << few),
                    ts_float_product(a_lead >> few << few, b_lead >> few << few));
    }
    for (int i = 0; i < 300000; i++) {
        check(near(i % 30), near(i % 7), near(i % 11));
        check((uint32_t)random_bits(), (uint32_t)random_bits(), (uint32_t)random_bits());
    }
    for (int i = 0; i < 200000; i++) { /* sums that nearly or wholly cancel, and ties */
        const uint32_t a = near(3) & 0xfffff000u, b = near(3) & 0xfffff000u;
        ts_float_bits product;
        product.value = from(a) * from(b);
        check((product.bits ^ 0x80000000u) + (uint32_t)random_between(-2, 2), a, b);
        check(near(2) & 0xffff0000u, near(12) & 0xfff00000u, near(12) & 0xfff80000u);
    }
    return 0;
}
