/* SPDX-License-Identifier: Apache-2.0 */
#include "health.h"

#include "config.h"
#include "slots.h"

#if CONFIG_HEALTH

/* What looking at an inference takes at most on Cortex-M0, in instructions (counted), and how many times that must have
 * passed before the next look: 0.46 %. */
#define LOOK_TICKS(codes, classes) (340u + 44u * (codes) + 32u * (classes))
#define LOOK_EVERY 220u
#define MEAN_SHIFT 6         /* the mean follows 1/64 of each difference */
#define DROP_SLACK (256 / 4) /* a fall of a quarter of a bin is not counted */
#define FULL 0xffffu
#define THRESHOLD_STEP 7u /* odd: 32 codes in a row meet all thresholds */

/* Not initialised: it outlives all resets but that of the power. */
static struct {
    health_counters seen;
    uint8_t model[32];
    uint32_t credit; /* ticks since the last look */
    uint32_t place;  /* of the next code */
    uint32_t price;  /* ticks between two looks */
} health __attribute__((section(".noinit")));

void health_clear(void)
{
    uint8_t *const bytes = (uint8_t *)&health.seen;
    for (uint32_t i = 0; i < sizeof health.seen; ++i) {
        bytes[i] = 0;
    }
    health.seen.format = HEALTH_FORMAT;
    health.seen.ticks_min = UINT32_MAX;
    health.credit = 0;
    health.place = 0;
    health.price = 0; /* the first inference is looked at */
}

void health_start(int power_on, uint32_t reason, uint32_t detail)
{
    if (power_on || health.seen.format != HEALTH_FORMAT) {
        health_clear();
        for (uint32_t i = 0; i < sizeof health.model; ++i) {
            health.model[i] = 0;
        }
        return;
    }
    health.seen.resets = (uint16_t)(health.seen.resets + (health.seen.resets < FULL));
    health.seen.faults = (uint16_t)(health.seen.faults + (reason == TS_REASON_FAULT && health.seen.faults < FULL));
    health.seen.last_reason = (uint16_t)reason;
    health.seen.last_detail = detail;
}

void health_model(const uint8_t *sha256)
{
    uint32_t differs = 0;
    for (uint32_t i = 0; i < sizeof health.model; ++i) {
        differs |= (uint32_t)(health.model[i] ^ sha256[i]);
        health.model[i] = sha256[i];
    }
    if (differs != 0u) {
        health_clear();
    }
}

static void sum_ticks(void);

const health_counters *health_read(void)
{
    sum_ticks();
    return &health.seen;
}

/* ---- values ---- */

static uint32_t word_at(const uint8_t *at)
{
    return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

/* A value of 8 or 16 bits, or of a float, as an integer of the same order. */
static int32_t ordered(const uint8_t *values, uint32_t index, const tensor_io *t)
{
    if (t->kind == ELEMENT_FLOAT) {
        const int32_t bits = (int32_t)word_at(values + 4u * index);
        return bits < 0 ? -(bits & 0x7fffffff) : bits;
    }
    if (t->element_bytes == 2u) {
        const uint32_t code = (uint32_t)values[2u * index] | (uint32_t)values[2u * index + 1u] << 8;
        return t->kind == ELEMENT_SIGNED ? (int16_t)code : (int32_t)code;
    }
    return t->kind == ELEMENT_SIGNED ? (int8_t)values[index] : (int32_t)values[index];
}

static int is_counted(const tensor_io *t)
{
    return t->kind == ELEMENT_FLOAT ? t->element_bytes == 4u : t->element_bytes <= 2u;
}

/* The sixteenth of its type's range, or of 0 to 1, that a value lies in. */
static uint32_t bin_of(int32_t value, const tensor_io *t)
{
    if (t->kind == ELEMENT_FLOAT) {
        const uint32_t exponent = (uint32_t)value >> 23;
        if (value <= 0 || exponent < 123u) {
            return 0;
        }
        return exponent >= 127u ? 15u : (((uint32_t)value & 0x7fffffu) | 0x800000u) >> (146u - exponent);
    }
    const uint32_t shift = 8u * t->element_bytes - 4u;
    const int32_t least = t->kind == ELEMENT_SIGNED ? -(8 << shift) : 0;
    return (uint32_t)(value - least) >> shift;
}

/* ---- what an inference adds ---- */

/* The last look before a bin's end may add to it as often as it has codes. */
static void add(uint16_t *bin)
{
    const uint32_t count = *bin + 1u;
    *bin = (uint16_t)count;
    if (count >= FULL - HEALTH_CODES) {
        health.seen.is_full = 1;
    }
}

static void follow(uint32_t bin)
{
    health_counters *const seen = &health.seen;
    const int32_t value = (int32_t)bin * 256;
    if (seen->looked_at == 1u) {
        seen->mean = (uint16_t)value;
    }
    const int32_t mean = seen->mean;
    const int32_t drop = (int32_t)seen->drop + mean - value - DROP_SLACK;
    seen->drop = (uint16_t)(drop < 0 ? 0 : drop > (int32_t)FULL ? (int32_t)FULL : drop);
    seen->drop_peak = seen->drop > seen->drop_peak ? seen->drop : seen->drop_peak;
    seen->mean = (uint16_t)(mean + (value - mean) / (1 << MEAN_SHIFT));
}

static void count_output(const uint8_t *values, const tensor_io *t)
{
    health_counters *const seen = &health.seen;
    const uint32_t classes = seen->classes;
    uint32_t best = 0;
    int32_t highest = ordered(values, 0, t);
    for (uint32_t i = 1; i < classes; ++i) {
        const int32_t value = ordered(values, i, t);
        if (value > highest) {
            highest = value;
            best = i;
        }
    }
    const uint32_t bin = bin_of(highest, t);
    add(&seen->chosen[best]);
    add(&seen->confidence[bin]);
    seen->unsure = (uint16_t)(seen->unsure + (bin < HEALTH_BINS / 2u && seen->unsure < FULL));
    follow(bin);
}

/* A code at an end of its type's range; `low` is the lesser byte of one of two. */
static void count_end(uint32_t top, uint32_t low, uint32_t width)
{
    health.seen.clipped_low += top == 0u && (width == 1u || low == 0u);
    health.seen.clipped_high += top == 255u && (width == 1u || low == 255u);
}

/* The upper four bits of a code are its bin, once the sign is turned into an offset, the next four its place there. */
static void count_input(const uint8_t *values, const tensor_io *t)
{
    const uint32_t width = t->element_bytes;
    const uint32_t codes = width == 2u ? t->bytes / 2u : t->bytes;
    const uint32_t flip = t->kind == ELEMENT_SIGNED ? 0x80u : 0u;
    const uint32_t groups = health.seen.groups;
    const uint32_t step = codes <= HEALTH_CODES ? 1u : codes / HEALTH_CODES | 1u;
    const uint32_t group_step = groups == 1u ? 0u : step % groups; /* codes is a multiple of groups */
    uint32_t left = codes < HEALTH_CODES ? codes : HEALTH_CODES;
    uint32_t place = health.place < codes ? health.place : 0u;
    uint32_t group = groups == 1u ? 0u : place % groups;
    /* By the golden ratio, so that each code of each channel meets all thresholds as often, however places move on. */
    uint32_t threshold = (health.seen.looked_at * 0x9e3779b9u) >> 27;
    for (; left > 0u; --left) {
        const uint8_t *const code = values + (width == 2u ? 2u * place + 1u : place);
        const uint32_t top = *code ^ flip;
        add(&health.seen.codes[group][top >> 4]);
        if ((top & 15u) > (threshold & 31u)) {
            add(&health.seen.fine[group]);
        }
        threshold += THRESHOLD_STEP;
        if (top == 0u || top == 255u) {
            count_end(top, width == 2u ? code[-1] : 0u, width);
        }
        place += step;
        place -= place >= codes ? codes : 0u;
        group += group_step;
        group -= group >= groups ? groups : 0u;
    }
    health.place = place + 1u;
}

/* Which histograms this model has. */
static void describe(const tensor_io *in, const tensor_io *out)
{
    health_counters *const seen = &health.seen;
    const int has_codes = in->kind != ELEMENT_FLOAT && in->element_bytes <= 2u && in->bytes > 0u;
    const uint32_t scores = is_counted(out) ? out->bytes / out->element_bytes : 0u;
    seen->groups = (uint8_t)(!has_codes ? 0u : in->channels >= 1u && in->channels <= HEALTH_GROUPS ? in->channels : 1u);
    seen->classes = (uint8_t)(scores > 1u && scores <= HEALTH_CLASSES ? scores : 0u);
    health.price = LOOK_EVERY * LOOK_TICKS(has_codes ? HEALTH_CODES : 0u, seen->classes);
}

static void sum_ticks(void)
{
    health.seen.ticks_sum[0] += health.credit;
    health.seen.ticks_sum[1] += health.seen.ticks_sum[0] < health.credit;
    health.credit = 0;
}

static void look(const uint8_t *input, const tensor_io *in, const uint8_t *output, const tensor_io *out)
{
    health_counters *const seen = &health.seen;
    sum_ticks();
    if (seen->is_full) {
        return;
    }
    if (health.price == 0u) {
        describe(in, out);
    }
    seen->looked_at++;
    if (seen->groups > 0u) {
        count_input(input, in);
    }
    if (seen->classes > 0u) {
        count_output(output, out);
    }
}

void health_count(const uint8_t *input, const tensor_io *in, const uint8_t *output, const tensor_io *out,
                  uint32_t ticks)
{
    health_counters *const seen = &health.seen;
    seen->inferences++;
    if (ticks < seen->ticks_min) {
        seen->ticks_min = ticks;
    }
    if (ticks > seen->ticks_max) {
        seen->ticks_max = ticks;
    }
    health.credit += ticks; /* below a look's price before, and one inference does not fill 32 bits */
    if (health.credit >= health.price) {
        look(input, in, output, out);
    }
}

#else

static health_counters nothing;

void health_start(int power_on, uint32_t reason, uint32_t detail)
{
    (void)power_on;
    (void)reason;
    (void)detail;
}

void health_model(const uint8_t *sha256)
{
    (void)sha256;
}

void health_clear(void)
{
}

const health_counters *health_read(void)
{
    return &nothing;
}

void health_count(const uint8_t *input, const tensor_io *in, const uint8_t *output, const tensor_io *out,
                  uint32_t ticks)
{
    (void)input;
    (void)in;
    (void)output;
    (void)out;
    (void)ticks;
}

#endif
