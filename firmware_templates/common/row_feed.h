/* SPDX-License-Identifier: Apache-2.0 */
/* An input that is fed by rows: what the host sends goes into the model as it comes, and is kept nowhere. */
#ifndef ROW_FEED_H
#define ROW_FEED_H

#include <stdint.h>

#include "model_io.h"

#ifdef MODEL_INPUT_ROWS

void row_feed_begin(
    uint64_t clock_cost);             /* the next byte is the input's first; clock_cost: ticks of reading the clock */
void row_feed_byte(uint8_t byte);     /* the last of a row has the model compute what it makes possible */
uint64_t row_feed_ticks(void);        /* of all rows since the first */
uint64_t row_feed_longest(void);      /* of the row that took longest */
int row_feed_invoke(uint64_t *ticks); /* the rest of the inference, and its ticks; the model's status */

#endif

#endif
