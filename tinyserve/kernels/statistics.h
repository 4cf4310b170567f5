/* SPDX-License-Identifier: Apache-2.0 */
/* FeatureStatistics: what is known of a window in a few numbers, per channel. */
#ifndef TS_STATISTICS_H
#define TS_STATISTICS_H

#include <stdint.h>

#include "common/math.h"

enum {
    TS_STATISTIC_MEAN,
    TS_STATISTIC_STD,
    TS_STATISTIC_RMS,
    TS_STATISTIC_MIN,
    TS_STATISTIC_MAX,
    TS_STATISTIC_RANGE,
    TS_STATISTIC_MEAN_ABS,
    TS_STATISTIC_ZERO_CROSSINGS,
    TS_STATISTIC_SKEWNESS,
    TS_STATISTIC_KURTOSIS,
    TS_STATISTIC_QUANTILE
};

typedef struct {
    int32_t rows, length, width, count;
} ts_statistics_params;

/* The mean of (x - centre)^power, summed from the oldest on. */
static inline float ts_moment(const float *x, int32_t length, float centre, int32_t power)
{
    float sum = 0.0f;
    for (int32_t i = 0; i < length; i++) {
        const float distance = x[i] - centre;
        float product = distance;
        for (int32_t k = 1; k < power; k++) {
            product *= distance;
        }
        sum += product;
    }
    return sum / (float)length;
}

static inline float ts_mean_abs(const float *x, int32_t length)
{
    float sum = 0.0f;
    for (int32_t i = 0; i < length; i++) {
        sum += ts_copy_sign(x[i], 1.0f);
    }
    return sum / (float)length;
}

/* How often neighbours have unlike signs; zero counts as positive. */
static inline float ts_zero_crossings(const float *x, int32_t length)
{
    int32_t found = 0;
    for (int32_t i = 1; i < length; i++) {
        found += (x[i - 1] < 0.0f) != (x[i] < 0.0f);
    }
    return (float)found;
}

/* A moment about the mean over the deviation's power: 0 for a constant. */
static inline float ts_standard_moment(const float *x, int32_t length, int32_t power)
{
    const float mean = ts_moment(x, length, 0.0f, 1), variance = ts_moment(x, length, mean, 2);
    if (!(variance > 0.0f)) {
        return variance;
    }
    const float deviation = ts_sqrtf(variance), moment = ts_moment(x, length, mean, power) / (variance * deviation);
    return power == 3 ? moment : moment / deviation;
}

/* Lets x[root] sink to its place in a heap whose largest is the first. */
static inline void ts_sift_down(float *x, int32_t root, int32_t length)
{
    int32_t child = 2 * root + 1;
    while (child < length) {
        if (child + 1 < length && x[child] < x[child + 1]) {
            child++;
        }
        if (!(x[root] < x[child])) {
            return;
        }
        const float larger = x[child];
        x[child] = x[root];
        x[root] = larger;
        root = child;
        child = 2 * root + 1;
    }
}

/* Heap sort, ascending: no worst case and no memory. */
static inline void ts_sort(float *x, int32_t length)
{
    for (int32_t root = length / 2 - 1; root >= 0; root--) {
        ts_sift_down(x, root, length);
    }
    for (int32_t last = length - 1; last > 0; last--) {
        const float largest = x[0];
        x[0] = x[last];
        x[last] = largest;
        ts_sift_down(x, 0, last);
    }
}

/* quantile: where it lies among the sorted values. */
static inline float ts_statistic(int32_t kind, float quantile, const float *x, const float *sorted, int32_t length)
{
    switch (kind) {
    case TS_STATISTIC_MEAN:
        return ts_moment(x, length, 0.0f, 1);
    case TS_STATISTIC_STD:
        return ts_sqrtf(ts_moment(x, length, ts_moment(x, length, 0.0f, 1), 2));
    case TS_STATISTIC_RMS:
        return ts_sqrtf(ts_moment(x, length, 0.0f, 2));
    case TS_STATISTIC_MIN:
        return sorted[0];
    case TS_STATISTIC_MAX:
        return sorted[length - 1];
    case TS_STATISTIC_RANGE:
        return sorted[length - 1] - sorted[0];
    case TS_STATISTIC_MEAN_ABS:
        return ts_mean_abs(x, length);
    case TS_STATISTIC_ZERO_CROSSINGS:
        return ts_zero_crossings(x, length);
    case TS_STATISTIC_SKEWNESS:
        return ts_standard_moment(x, length, 3);
    case TS_STATISTIC_KURTOSIS:
        return ts_standard_moment(x, length, 4) - 3.0f;
    default: {
        const int32_t below = ts_floor_to_int(quantile), above = below + (below + 1 < length);
        return sorted[below] + (quantile - (float)below) * (sorted[above] - sorted[below]);
    }
    }
}

/* Bytes of scratch: a channel, and the same sorted. */
#define TS_STATISTICS_SCRATCH_BYTES(length) (2 * 4 * (length))

/* input [rows][length][width] to output [rows][width][count]: kinds [count], quantiles [count]. */
static inline void ts_statistics(const ts_statistics_params *p, const float *input, const int32_t *kinds,
                                 const float *quantiles, float *output, float *scratch)
{
    float *const x = scratch, *const sorted = scratch + p->length;
    for (int32_t row = 0; row < p->rows; row++, input += p->length * p->width) {
        for (int32_t channel = 0; channel < p->width; channel++) {
            for (int32_t i = 0; i < p->length; i++) {
                x[i] = sorted[i] = input[i * p->width + channel];
            }
            ts_sort(sorted, p->length);
            for (int32_t k = 0; k < p->count; k++) {
                *output++ = ts_statistic(kinds[k], quantiles[k], x, sorted, p->length);
            }
        }
    }
}

#endif
