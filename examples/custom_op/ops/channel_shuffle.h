/* SPDX-License-Identifier: Apache-2.0 */
/* Channel c of group g becomes channel g of group c. */
#ifndef CHANNEL_SHUFFLE_H
#define CHANNEL_SHUFFLE_H

#include <stdint.h>

typedef struct {
    int32_t pixels, groups, size; /* size: channels of a group */
} channel_shuffle_params;

static inline void channel_shuffle_s8(const channel_shuffle_params *p, const int8_t *input, int8_t *output)
{
    for (int32_t pixel = 0; pixel < p->pixels; pixel++) {
        for (int32_t channel = 0; channel < p->size; channel++) {
            for (int32_t group = 0; group < p->groups; group++) {
                *output++ = input[group * p->size + channel];
            }
        }
        input += p->groups * p->size;
    }
}

#endif /* CHANNEL_SHUFFLE_H */
