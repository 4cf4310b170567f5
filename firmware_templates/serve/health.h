/* SPDX-License-Identifier: Apache-2.0 */
/* What a device knows of how its model fares: counters and histograms, never the data. They are exact sums, so that
 * those of many devices, or of many readings, add up. CONFIG_HEALTH 0 leaves all of it out.
 *
 * Sampling keeps the cost below half a percent of the inferences' ticks: an inference is looked at when those since the
 * last one have paid for it, and 16 of its input's codes are counted, at places that move on by a step without a
 * common divisor. */
#ifndef TS_HEALTH_H
#define TS_HEALTH_H

#include <stdint.h>

#include "tensor_io.h"

#define HEALTH_BINS 16u
#define HEALTH_GROUPS 4u /* histograms of the input: one per channel where it has up to four, else one */
#define HEALTH_CLASSES 16u
#define HEALTH_CODES 16u /* of an input that is looked at */
#define HEALTH_FORMAT 2u

/* Little endian, as it is sent. Everything since the last clear. */
typedef struct {
    uint8_t format;
    uint8_t groups;  /* histograms of the input that are in use; 0: its type has none */
    uint8_t classes; /* in use; 0: output 0 is no vector of scores, or has more */
    uint8_t is_full; /* a bin has come to its end: nothing is looked at any more until a clear */
    uint32_t inferences;
    uint32_t looked_at;
    uint16_t faults;
    uint16_t resets;
    uint16_t last_reason; /* ts_slot_reason of the last reset */
    uint16_t unsure;      /* inferences whose highest score is below half of the range */
    uint32_t last_detail;
    uint32_t ticks_min;
    uint32_t ticks_max;
    uint32_t ticks_sum[2]; /* low word first */
    uint32_t clipped_low;  /* codes at the least value of the type, of those that were counted */
    uint32_t clipped_high;
    uint16_t drop;      /* Page-Hinkley of the confidence's bin, in 1/256 of a bin: how far it fell below its mean */
    uint16_t drop_peak; /* the most that `drop` has been */
    uint16_t mean;      /* of the confidence's bin, in 1/256 */
    uint16_t unused;
    uint16_t confidence[HEALTH_BINS];
    uint16_t chosen[HEALTH_CLASSES];
    uint16_t codes[HEALTH_GROUPS][HEALTH_BINS];
    uint16_t fine[HEALTH_GROUPS]; /* codes beyond a threshold in their bin that goes through 32 sixteenths of it: twice
                                   * their share is the mean place in a bin, so that means are known finer than bins */
} health_counters;

_Static_assert(sizeof(health_counters) == 256, "the layout is the protocol's");

void health_start(int power_on, uint32_t reason, uint32_t detail); /* once per start */
void health_model(const uint8_t *sha256);                          /* another model: from zero */
void health_clear(void);
const health_counters *health_read(void);

/* After an inference of `ticks`. */
void health_count(const uint8_t *input, const tensor_io *in, const uint8_t *output, const tensor_io *out,
                  uint32_t ticks);

#endif
