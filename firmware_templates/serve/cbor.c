/* SPDX-License-Identifier: Apache-2.0 */
#include "cbor.h"

#include <stddef.h>

#define MOST_DEPTH 6
#define BREAK 0xffu
#define INDEFINITE 31u

enum { UNSIGNED = 0, NEGATIVE = 1, BYTES = 2, TEXT = 3, LIST = 4, MAP = 5, TAG = 6, SIMPLE = 7 };

typedef struct {
    const uint8_t *at;
    uint32_t left;
} cursor;

typedef struct {
    uint32_t major;
    uint32_t info;
    uint32_t argument; /* UINT32_MAX for all that is larger */
} head;

static int read_head(cursor *in, head *found)
{
    if (in->left == 0u) {
        return 0;
    }
    const uint8_t first = *in->at++;
    in->left--;
    found->major = first >> 5;
    found->info = first & 31u;
    found->argument = found->info;
    if (found->info < 24u || found->info == INDEFINITE) {
        return 1;
    }
    if (found->info > 27u) {
        return 0;
    }
    const uint32_t width = 1u << (found->info - 24u);
    if (in->left < width) {
        return 0;
    }
    uint64_t value = 0;
    for (uint32_t i = 0; i < width; ++i) {
        value = value << 8 | *in->at++;
    }
    in->left -= width;
    found->argument = value > UINT32_MAX ? UINT32_MAX : (uint32_t)value;
    return 1;
}

static int skip_bytes(cursor *in, uint32_t count)
{
    if (count > in->left) {
        return 0;
    }
    in->at += count;
    in->left -= count;
    return 1;
}

static int skip(cursor *in, int depth);

static int skip_items(cursor *in, const head *of, int depth)
{
    const uint32_t per = of->major == MAP ? 2u : 1u;
    if (of->info == INDEFINITE) {
        while (in->left > 0u && *in->at != BREAK) {
            if (!skip(in, depth)) {
                return 0;
            }
        }
        return skip_bytes(in, 1);
    }
    if (of->argument > in->left) {
        return 0; /* an item has a byte at least */
    }
    for (uint32_t i = 0; i < of->argument * per; ++i) {
        if (!skip(in, depth)) {
            return 0;
        }
    }
    return 1;
}

static int skip(cursor *in, int depth)
{
    head found;
    if (depth == 0 || !read_head(in, &found)) {
        return 0;
    }
    switch (found.major) {
    case BYTES:
    case TEXT:
        return found.info != INDEFINITE && skip_bytes(in, found.argument);
    case LIST:
    case MAP:
        return skip_items(in, &found, depth - 1);
    case TAG:
        return found.info != INDEFINITE && skip(in, depth - 1);
    default:
        return found.info != INDEFINITE;
    }
}

static cbor_value value_of(const head *found, const uint8_t *bytes)
{
    cbor_value value = {CBOR_OTHER, found->argument, bytes, 0};
    switch (found->major) {
    case UNSIGNED:
        value.kind = CBOR_UNSIGNED;
        break;
    case BYTES:
    case TEXT:
        value.kind = found->major == BYTES ? CBOR_BYTES : CBOR_TEXT;
        value.count = found->argument;
        break;
    case SIMPLE:
        if (found->info == 20u || found->info == 21u) {
            value.kind = CBOR_BOOL;
            value.number = found->info == 21u;
        }
        break;
    default:
        break;
    }
    return value;
}

static int is_key(const head *found, const uint8_t *bytes, const char *key)
{
    uint32_t i = 0;
    for (; i < found->argument && key[i] != '\0'; ++i) {
        if (bytes[i] != (uint8_t)key[i]) {
            return 0;
        }
    }
    return i == found->argument && key[i] == '\0';
}

cbor_value cbor_find(const uint8_t *map, uint32_t map_bytes, const char *key)
{
    const cbor_value none = {CBOR_NONE, 0, NULL, 0};
    cursor in = {map, map_bytes};
    head found;
    if (!read_head(&in, &found) || found.major != MAP) {
        return none;
    }
    const uint32_t pairs = found.info == INDEFINITE ? UINT32_MAX : found.argument;
    for (uint32_t i = 0; i < pairs && in.left > 0u && *in.at != BREAK; ++i) {
        head name;
        if (!read_head(&in, &name) || name.major != TEXT || name.info == INDEFINITE || name.argument > in.left) {
            return none;
        }
        const int is_it = is_key(&name, in.at, key);
        (void)skip_bytes(&in, name.argument);
        const cursor before = in;
        if (!skip(&in, MOST_DEPTH)) {
            return none;
        }
        if (is_it) {
            cursor value = before;
            (void)read_head(&value, &found);
            return value_of(&found, value.at);
        }
    }
    return none;
}

/* ---- writing ---- */

static void put(cbor_out *out, uint8_t byte)
{
    if (out->count < out->capacity) {
        out->to[out->count] = byte;
    }
    out->count++;
}

static void put_head(cbor_out *out, uint32_t major, uint32_t argument)
{
    const uint32_t width = argument < 24u ? 0u : argument < 0x100u ? 1u : argument < 0x10000u ? 2u : 4u;
    const uint32_t info = width == 0u ? argument : width == 1u ? 24u : width == 2u ? 25u : 26u;
    put(out, (uint8_t)(major << 5 | info));
    for (uint32_t i = width; i > 0u; --i) {
        put(out, (uint8_t)(argument >> (8u * (i - 1u))));
    }
}

static void put_all(cbor_out *out, const uint8_t *bytes, uint32_t count)
{
    for (uint32_t i = 0; i < count; ++i) {
        put(out, bytes[i]);
    }
}

void cbor_begin_map(cbor_out *out)
{
    put(out, 0xbfu);
}

void cbor_begin_list(cbor_out *out)
{
    put(out, 0x9fu);
}

void cbor_end(cbor_out *out)
{
    put(out, BREAK);
}

void cbor_text(cbor_out *out, const char *text)
{
    uint32_t count = 0;
    while (text[count] != '\0') {
        ++count;
    }
    cbor_text_of(out, (const uint8_t *)text, count);
}

void cbor_text_of(cbor_out *out, const uint8_t *text, uint32_t count)
{
    put_head(out, TEXT, count);
    put_all(out, text, count);
}

void cbor_unsigned(cbor_out *out, uint32_t number)
{
    put_head(out, UNSIGNED, number);
}

void cbor_bool(cbor_out *out, int is_true)
{
    put(out, is_true ? 0xf5u : 0xf4u);
}

void cbor_bytes(cbor_out *out, const uint8_t *bytes, uint32_t count)
{
    put_head(out, BYTES, count);
    put_all(out, bytes, count);
}

void cbor_pair_text(cbor_out *out, const char *key, const char *text)
{
    cbor_text(out, key);
    cbor_text(out, text);
}

void cbor_pair_unsigned(cbor_out *out, const char *key, uint32_t number)
{
    cbor_text(out, key);
    cbor_unsigned(out, number);
}

void cbor_pair_bool(cbor_out *out, const char *key, int is_true)
{
    cbor_text(out, key);
    cbor_bool(out, is_true);
}

void cbor_pair_bytes(cbor_out *out, const char *key, const uint8_t *bytes, uint32_t count)
{
    cbor_text(out, key);
    cbor_bytes(out, bytes, count);
}
