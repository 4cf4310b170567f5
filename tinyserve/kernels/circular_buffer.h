/* SPDX-License-Identifier: Apache-2.0 */
/* CIRCULAR_BUFFER: the last inputs of a strided streaming convolution, the newest at the end. */
#ifndef TS_CIRCULAR_BUFFER_H
#define TS_CIRCULAR_BUFFER_H

#include <stdint.h>

/* A row of depth values per inference; every cycles-th one is due. */
typedef struct {
    int32_t slots, depth, cycles;
} ts_circular_buffer_params;

/* State: kept [slots][depth], the number of inferences since one was due, and whether this one is. */
static inline void ts_circular_buffer(const ts_circular_buffer_params *p, const int8_t *input, int8_t *output,
                                      int8_t *kept, int32_t *waited, uint8_t *due)
{
    const int32_t older = (p->slots - 1) * p->depth;
    for (int32_t i = 0; i < older; i++) {
        output[i] = kept[i] = kept[i + p->depth];
    }
    for (int32_t i = 0; i < p->depth; i++) {
        output[older + i] = kept[older + i] = input[i];
    }
    *due = ++*waited == p->cycles;
    if (*due) {
        *waited = 0;
    }
}

#endif
