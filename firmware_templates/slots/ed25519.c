/* SPDX-License-Identifier: Apache-2.0 */
#include "ed25519.h"

#include "sha2.h"

/* An element of the field of p = 2^255 - 19: sixteen limbs of sixteen bits, the lowest first. Any value below 2^256
 * stands for its remainder; `canonical` makes it unique. Sixteen bits, because Armv6-M multiplies 32 x 32 to 32 bits.
 */
#define LIMBS 16
typedef uint16_t element[LIMBS];

/* x = X / Z, y = Y / Z, x y = T / Z (extended coordinates of RFC 8032, 5.1.4). */
typedef struct {
    element x, y, z, t;
} point;

/* clang-format off */
static const element k_one = {1};
/* d = -121665 / 121666, the curve's constant (RFC 8032, 5.1), and 2 d */
static const element k_d = {0x78a3, 0x1359, 0x4dca, 0x75eb, 0xd8ab, 0x4141, 0x0a4d, 0x0070,
                            0xe898, 0x7779, 0x4079, 0x8cc7, 0xfe73, 0x2b6f, 0x6cee, 0x5203};
static const element k_2d = {0xf159, 0x26b2, 0x9b94, 0xebd6, 0xb156, 0x8283, 0x149a, 0x00e0,
                             0xd130, 0xeef3, 0x80f2, 0x198e, 0xfce7, 0x56df, 0xd9dc, 0x2406};
/* a square root of -1: 2^((p - 1) / 4) */
static const element k_root = {0xa0b0, 0x4a0e, 0x1b27, 0xc4ee, 0xe478, 0xad2f, 0x1806, 0x2f43,
                               0xd7a7, 0x3dfb, 0x0099, 0x2b4d, 0xdf0b, 0x4fc1, 0x2480, 0x2b83};
/* the base point B (RFC 8032, 5.1) */
static const point k_base = {
    {0xd51a, 0x8f25, 0x2d60, 0xc956, 0xa7b2, 0x9525, 0xc760, 0x692c,
     0xdc5c, 0xfdd6, 0xe231, 0xc0a4, 0x53fe, 0xcd6e, 0x36d3, 0x2169},
    {0x6658, 0x6666, 0x6666, 0x6666, 0x6666, 0x6666, 0x6666, 0x6666,
     0x6666, 0x6666, 0x6666, 0x6666, 0x6666, 0x6666, 0x6666, 0x6666},
    {1},
    {0xdda3, 0xa5b7, 0x8ab3, 0x6dde, 0x52f5, 0x7751, 0x9f80, 0x20f0,
     0xe37d, 0x64ab, 0x4e8e, 0x66ea, 0x7665, 0xd78b, 0x5f0f, 0x6787},
};
/* the order of the group that B makes: L = 2^252 + 27742317777372353535851937790883648493 */
static const element k_order = {0xd3ed, 0x5cf5, 0x631a, 0x5812, 0x9cd6, 0xa2f7, 0xf9de, 0x14de,
                                0x0000, 0x0000, 0x0000, 0x0000, 0x0000, 0x0000, 0x0000, 0x1000};
/* clang-format on */

static void copy(element to, const element from)
{
    for (int i = 0; i < LIMBS; ++i) {
        to[i] = from[i];
    }
}

/* Adds a carry out of bit 256: 2^256 = 38 (mod p). The second turn takes what the first one carries out. */
static void fold(element a, uint32_t carry)
{
    for (int turn = 0; turn < 2; ++turn) {
        carry *= 38u;
        for (int i = 0; i < LIMBS; ++i) {
            carry += a[i];
            a[i] = (uint16_t)carry;
            carry >>= 16;
        }
    }
}

static void add(element sum, const element a, const element b)
{
    uint32_t carry = 0;
    for (int i = 0; i < LIMBS; ++i) {
        carry += (uint32_t)a[i] + b[i];
        sum[i] = (uint16_t)carry;
        carry >>= 16;
    }
    fold(sum, carry);
}

/* a - b = a + (2^256 - 1 - b) + 1 - 2^256, and the last two together are -37 (mod p) */
static void subtract(element difference, const element a, const element b)
{
    static const element k_minus_37 = {0xffb5, 0xffff, 0xffff, 0xffff, 0xffff, 0xffff, 0xffff, 0xffff,
                                       0xffff, 0xffff, 0xffff, 0xffff, 0xffff, 0xffff, 0xffff, 0xffff};
    element inverted;
    for (int i = 0; i < LIMBS; ++i) {
        inverted[i] = (uint16_t)~b[i];
    }
    add(inverted, inverted, k_minus_37);
    add(difference, a, inverted);
}

static void multiply(element product, const element a, const element b)
{
    uint16_t wide[2 * LIMBS];
    uint64_t sum = 0;
    for (int column = 0; column < 2 * LIMBS - 1; ++column) {
        const int first = column < LIMBS ? 0 : column - LIMBS + 1;
        const int last = column < LIMBS ? column : LIMBS - 1;
        for (int i = first; i <= last; ++i) {
            sum += (uint32_t)a[i] * b[column - i];
        }
        wide[column] = (uint16_t)sum;
        sum >>= 16;
    }
    wide[2 * LIMBS - 1] = (uint16_t)sum;
    uint32_t carry = 0;
    for (int i = 0; i < LIMBS; ++i) {
        carry += wide[i] + 38u * wide[i + LIMBS];
        product[i] = (uint16_t)carry;
        carry >>= 16;
    }
    fold(product, carry);
}

/* result = a^(2^squarings) b; `result` may be `a` and may not be `b`. */
static void square_and_multiply(element result, const element a, int squarings, const element b)
{
    copy(result, a);
    for (int i = 0; i < squarings; ++i) {
        multiply(result, result, result);
    }
    multiply(result, result, b);
}

/* a^(2^252 - 3): the exponent is 250 ones, which doubling their number makes, then the bits 01. */
static void power(element result, const element a)
{
    element ones, five, fifty;
    square_and_multiply(ones, a, 1, a); /* 2 ones */
    copy(five, ones);
    square_and_multiply(ones, ones, 2, five); /* 4 */
    square_and_multiply(five, ones, 1, a);
    square_and_multiply(ones, five, 5, five); /* 10 */
    copy(five, ones);
    square_and_multiply(ones, ones, 10, five); /* 20 */
    copy(fifty, ones);
    square_and_multiply(ones, ones, 20, fifty);  /* 40 */
    square_and_multiply(fifty, ones, 10, five);  /* 50 */
    square_and_multiply(ones, fifty, 50, fifty); /* 100 */
    copy(five, ones);
    square_and_multiply(ones, ones, 100, five); /* 200 */
    square_and_multiply(ones, ones, 50, fifty); /* 250 */
    square_and_multiply(ones, ones, 2, a);
    copy(result, ones);
}

/* 1 where a >= b as plain numbers */
static int at_least(const element a, const element b)
{
    for (int i = LIMBS - 1; i >= 0; --i) {
        if (a[i] != b[i]) {
            return a[i] > b[i];
        }
    }
    return 1;
}

/* The one value below p: bit 255 counts 19, and 19 more carry into it exactly where the rest is p or above. */
static void canonical(element a)
{
    element probe;
    for (int turn = 0; turn < 2; ++turn) {
        uint32_t carry = 19u * (uint32_t)(a[LIMBS - 1] >> 15);
        a[LIMBS - 1] &= 0x7fff;
        for (int i = 0; i < LIMBS; ++i) {
            carry += a[i];
            a[i] = (uint16_t)carry;
            carry >>= 16;
        }
    }
    uint32_t carry = 19;
    for (int i = 0; i < LIMBS; ++i) {
        carry += a[i];
        probe[i] = (uint16_t)carry;
        carry >>= 16;
    }
    if (probe[LIMBS - 1] >> 15) {
        probe[LIMBS - 1] &= 0x7fff;
        copy(a, probe);
    }
}

static int equal(const element a, const element b)
{
    element difference;
    uint32_t bits = 0;
    subtract(difference, a, b);
    canonical(difference);
    for (int i = 0; i < LIMBS; ++i) {
        bits |= difference[i];
    }
    return bits == 0;
}

/* Adds any two points, the same ones too: the formula is complete (RFC 8032, 5.1.4). `sum` may be an operand. */
static void add_points(point *sum, const point *p, const point *q)
{
    element a, b, c, d;
    subtract(a, p->y, p->x);
    subtract(b, q->y, q->x);
    multiply(a, a, b);
    add(b, p->y, p->x);
    add(c, q->y, q->x);
    multiply(b, b, c);
    multiply(c, p->t, q->t);
    multiply(c, c, k_2d);
    multiply(d, p->z, q->z);
    add(d, d, d);
    /* e = b - a, f = d - c, g = d + c, h = b + a, in the places of the sum's coordinates */
    subtract(sum->x, b, a);
    subtract(sum->z, d, c);
    add(sum->y, d, c);
    add(a, b, a);
    multiply(sum->t, sum->x, a);
    multiply(sum->x, sum->x, sum->z);
    multiply(sum->z, sum->z, sum->y);
    multiply(sum->y, sum->y, a);
}

static void load(element a, const uint8_t bytes[32])
{
    for (int i = 0; i < LIMBS; ++i) {
        a[i] = (uint16_t)(bytes[2 * i] | bytes[2 * i + 1] << 8);
    }
}

/* x with d x^2 y^2 - x^2 + y^2 = 1 (5.1.3): of u / v = (y^2 - 1) / (d y^2 + 1), u v^3 (u v^7)^((p - 5) / 8) is a root
 * up to a factor of sqrt(-1). Returns 0 where there is none. */
static int root_of_curve(element x, const element y)
{
    element u, v, w;
    multiply(w, y, y);
    subtract(u, w, k_one);
    multiply(v, w, k_d);
    add(v, v, k_one);
    multiply(w, v, v);
    multiply(w, w, v);
    multiply(x, u, w); /* u v^3 */
    multiply(w, w, v);
    multiply(w, w, x); /* u v^7 */
    power(w, w);
    multiply(x, x, w);
    multiply(w, x, x);
    multiply(w, w, v); /* v x^2 is u or -u */
    if (equal(w, u)) {
        return 1;
    }
    multiply(x, x, k_root);
    multiply(w, x, x);
    multiply(w, w, v);
    return equal(w, u);
}

/* The point of 32 bytes, negated; 0 where they are no canonical encoding of one. */
static int load_negated(point *p, const uint8_t bytes[32])
{
    static const element k_zero = {0};
    const uint16_t sign = bytes[31] >> 7;
    element y;
    load(p->y, bytes);
    p->y[LIMBS - 1] &= 0x7fff;
    copy(y, p->y);
    canonical(y);
    for (int i = 0; i < LIMBS; ++i) {
        if (y[i] != p->y[i]) {
            return 0;
        }
    }
    if (!root_of_curve(p->x, p->y)) {
        return 0;
    }
    canonical(p->x);
    if (equal(p->x, k_zero) && sign) {
        return 0;
    }
    if ((p->x[0] & 1u) == sign) {
        subtract(p->x, k_zero, p->x);
    }
    copy(p->z, k_one);
    multiply(p->t, p->x, p->y);
    return 1;
}

/* 1 where eight times p is the neutral element */
static int has_small_order(const point *p)
{
    static const element k_zero = {0};
    point multiple = *p;
    for (int doubling = 0; doubling < 3; ++doubling) {
        add_points(&multiple, &multiple, &multiple);
    }
    return equal(multiple.x, k_zero) && equal(multiple.y, multiple.z);
}

/* r = the 512 bits of `bytes` (the lowest first) modulo L */
static void reduce(element r, const uint8_t bytes[64])
{
    copy(r, (const element){0});
    for (int bit = 511; bit >= 0; --bit) {
        uint32_t carry = (uint32_t)(bytes[bit / 8] >> (bit % 8)) & 1u;
        for (int i = 0; i < LIMBS; ++i) {
            carry |= (uint32_t)r[i] << 1;
            r[i] = (uint16_t)carry;
            carry >>= 16;
        }
        if (at_least(r, k_order)) {
            int32_t borrow = 0;
            for (int i = 0; i < LIMBS; ++i) {
                borrow += (int32_t)r[i] - k_order[i];
                r[i] = (uint16_t)borrow;
                borrow >>= 16;
            }
        }
    }
}

/* k = SHA-512(R, A, message) modulo L. A function of its own, so that its hash leaves the stack before the points come.
 */
static __attribute__((noinline)) void challenge(element k, const uint8_t r[32], const uint8_t key[32],
                                                const uint8_t *message, uint32_t count)
{
    ts_sha512 hash;
    uint8_t digest[TS_SHA512_BYTES];
    ts_sha512_start(&hash);
    ts_sha512_add(&hash, r, 32);
    ts_sha512_add(&hash, key, 32);
    ts_sha512_add(&hash, message, count);
    ts_sha512_finish(&hash, digest);
    reduce(k, digest);
}

/* q = s B + k A, both multiplications over the same doublings; at[] is B, A, A + B. */
static void combine(point *q, const element s, const element k, point at[3])
{
    static const point k_neutral = {{0}, {1}, {1}, {0}};
    at[0] = k_base;
    add_points(&at[2], &at[0], &at[1]);
    *q = k_neutral;
    for (int bit = 252; bit >= 0; --bit) {
        const uint32_t choice =
            ((uint32_t)(s[bit / 16] >> (bit % 16)) & 1u) | ((uint32_t)(k[bit / 16] >> (bit % 16)) & 1u) << 1;
        add_points(q, q, q);
        if (choice != 0) {
            add_points(q, q, &at[choice - 1]);
        }
    }
}

/* 1 where 32 bytes are the encoding of q. 1 / z = z^(p - 2) = (z^(2^252 - 3))^8 z^3. */
static int is_encoding(const uint8_t bytes[32], const point *q)
{
    element inverse, x, y;
    multiply(x, q->z, q->z);
    multiply(x, x, q->z);
    power(y, q->z);
    square_and_multiply(inverse, y, 3, x);
    multiply(x, q->x, inverse);
    multiply(y, q->y, inverse);
    canonical(x);
    canonical(y);
    y[LIMBS - 1] = (uint16_t)(y[LIMBS - 1] | (x[0] & 1u) << 15);
    load(inverse, bytes);
    for (int i = 0; i < LIMBS; ++i) {
        if (y[i] != inverse[i]) {
            return 0;
        }
    }
    return 1;
}

int ts_ed25519_verify(const uint8_t signature[TS_ED25519_SIGNATURE_BYTES], const uint8_t key[TS_ED25519_KEY_BYTES],
                      const uint8_t *message, uint32_t count)
{
    element s, k;
    point at[3], q;
    load(s, signature + 32);
    if (at_least(s, k_order)) {
        return 0;
    }
    if (!load_negated(&at[1], key) || has_small_order(&at[1])) {
        return 0;
    }
    challenge(k, signature, key, message, count);
    combine(&q, s, k, at);
    return is_encoding(signature, &q); /* R = s B - k A */
}
