/* SPDX-License-Identifier: Apache-2.0 */
#include "row_feed.h"

#include <stddef.h>

#include "port.h"

#ifdef MODEL_INPUT_ROWS

static uint8_t *row; /* where the bytes of the next row go; NULL: none has come */
static uint32_t filled;
static uint64_t cost;
static uint64_t ticks_of_rows;
static uint64_t longest;

void row_feed_begin(uint64_t clock_cost)
{
    model_drop_rows();
    cost = clock_cost;
    row = NULL;
    filled = 0;
    ticks_of_rows = 0;
    longest = 0;
}

static uint64_t since(uint64_t start)
{
    const uint64_t now = port_ticks();
    port_marker(0);
    const uint64_t ticks = now - start;
    return ticks > cost ? ticks - cost : 0u;
}

static void feed(void)
{
    port_marker(model_rows_left() == MODEL_INPUT_ROWS ? 1 : 2);
    const uint64_t start = port_ticks();
    (void)model_feed(row, 1u);
    const uint64_t ticks = since(start);
    ticks_of_rows += ticks;
    longest = ticks > longest ? ticks : longest;
    row = NULL;
    filled = 0;
}

void row_feed_byte(uint8_t byte)
{
    if (row == NULL) {
        row = model_row();
    }
    if (row == NULL) {
        return; /* the protocol lets no byte pass behind the last */
    }
    row[filled++] = byte;
    if (filled == MODEL_INPUT_ROW_BYTES) {
        feed();
    }
}

uint64_t row_feed_ticks(void)
{
    return ticks_of_rows;
}

uint64_t row_feed_longest(void)
{
    return longest;
}

int row_feed_invoke(uint64_t *ticks)
{
    port_marker(2);
    const uint64_t start = port_ticks();
    const int status = model_invoke();
    *ticks = since(start);
    return status;
}

#endif
