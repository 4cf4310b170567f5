/* SPDX-License-Identifier: Apache-2.0 */
/* Rounded quotients of float32 by integers, for cores without floating point: a tenth of what the library's division,
 * comparisons and conversions take. */
#ifndef TS_COMMON_FLOAT_QUOTIENT_H
#define TS_COMMON_FLOAT_QUOTIENT_H

#include <stdint.h>

#include "fixed_point.h"
#include "float_sum.h"
#include "math.h"

/* Divisors of which no quotient that matters is subnormal, and infinity gives more than any limit. */
#define TS_LEAST_DIVISOR 32
#define TS_MOST_DIVISOR 200
#define TS_QUOTIENT_BITS 17 /* whole ones: the limits' */
#define TS_ESTIMATED_BITS 9 /* which are estimated with an error of at most 2 */

/* A divisor of 24 bits, and 2^39 divided by it, too small by at most 2^-14 of it. */
typedef struct {
    int32_t exponent; /* as it is stored */
    uint32_t lead, inverse;
} ts_divisor;

/* Whether a divisor is one of those. */
static inline int ts_divides_by_integers(float divisor)
{
    ts_float_bits bits;
    bits.value = divisor;
    const uint32_t exponent = bits.bits >> 23;
    return exponent >= TS_LEAST_DIVISOR && exponent <= TS_MOST_DIVISOR;
}

static inline uint32_t ts_float_lead(uint32_t bits)
{
    return (bits & (TS_FLOAT_LEAD - 1)) | TS_FLOAT_LEAD;
}

static inline ts_divisor ts_divisor_of(float divisor)
{
    ts_float_bits bits;
    bits.value = divisor;
    const uint32_t lead = ts_float_lead(bits.bits);
    return (ts_divisor){(int32_t)(bits.bits >> 23), lead, (1u << 31) / ((lead >> 8) + 1)};
}

/* A quotient just below n + 1/2 whose nearest float32 is n + 1/2: missing / divisor is how far its double is below
 * 2 n + 1, half an ulp of n is 2^(log2 n - 24). */
static inline uint32_t ts_reaches_half(uint32_t n, uint32_t missing, uint32_t divisor)
{
    if (missing > divisor >> (23 - TS_QUOTIENT_BITS)) {
        return 0;
    }
    int32_t places = 24;
    for (; n != 0; n >>= 1) {
        places--;
    }
    return places < 24 && missing <= divisor >> places;
}

/* ts_round_to_int(value / divisor, low, high) for limits of at most 17 bits. */
static inline int32_t ts_rounded_quotient(float value, const ts_divisor *divisor, int32_t low, int32_t high)
{
    ts_float_bits bits;
    bits.value = value;
    const uint32_t magnitude = bits.bits << 1 >> 1;
    const int negative = (int32_t)bits.bits < 0;
    const int32_t places = (int32_t)(magnitude >> 23) - divisor->exponent + 1; /* of twice the quotient */
    if (places < 0) {
        return ts_clamp(0, low, high);
    }
    if (places > TS_QUOTIENT_BITS + 1) { /* NaN among them */
        return negative || magnitude > 0x7f800000u ? low : high;
    }
    const uint32_t lead = ts_float_lead(magnitude);
    uint32_t doubled = ((lead >> 8) * divisor->inverse) >> (31 - places);
    uint32_t rest = (lead << places) - doubled * divisor->lead; /* of up to 30 bits */
    if (places > TS_ESTIMATED_BITS) {
        const uint32_t more = ((rest >> 14) * divisor->inverse) >> 25;
        doubled += more;
        rest -= more * divisor->lead;
    }
    for (; rest >= divisor->lead; rest -= divisor->lead) {
        doubled++;
    }
    const uint32_t whole = doubled >> 1;
    const uint32_t up = (doubled & 1) != 0 ? 1u : ts_reaches_half(whole, divisor->lead - rest, divisor->lead);
    const int32_t rounded = (int32_t)(whole + up);
    return ts_clamp(negative ? -rounded : rounded, low, high);
}

#endif
