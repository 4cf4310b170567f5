/* SPDX-License-Identifier: Apache-2.0 */
/* Runs layers row by row, so that the tensors between them need a few rows each.
 *
 * Of the stages whose rows are there, and whose only reader waits for more, the last takes its next step; where there
 * is no such stage, the band is done, or waits for the next row of what is fed from outside. Rows of a tensor lie one
 * behind the other in its window. Where the next ones do not fit, those that are still read are moved to the front
 * first; in windows that are early that is done as soon as the others have been read. The compiler has run the same
 * steps, so that it knows that no row is overwritten too early. */
#ifndef TS_ROW_BAND_H
#define TS_ROW_BAND_H

#include <stdint.h>

#include "common/copy.h"

#define TS_ROW_BAND_INPUTS 8

/* offset: of the window in its arena, whose number is `arena`. height: rows of the tensor. rows: places of the window.
 * given: the tensor is there from the start. early: rows are moved once the keeper has taken a step. keeper: the stage,
 * and which of its inputs, that is the last to read a row; -1: all rows stay.
 */
typedef struct {
    uint32_t offset, row_bytes;
    uint16_t height, rows;
    uint8_t given, early;
    int16_t keeper, keeper_input, arena;
} ts_row_band_window;

/* In step n a stage reads the rows from first + n * advance to end + n * advance, as far as the tensor has them. */
typedef struct {
    int16_t window, advance, first, end;
} ts_row_band_input;

/* run takes a step: at has the rows of each input and of the output. rows: of the output that a step makes; 0 where the
 * output is one row, which is there after the last step. kinds: of steps; the first `top` ones have a kind each, all
 * that follow one, but for those at the end. wake: the last stage that reads the output. reader: the only one, and
 * which of its inputs; -1 where there are several. */
typedef struct {
    void (*run)(uint8_t *const *arenas, uint32_t kind, uint8_t *const *at);
    const ts_row_band_input *inputs;
    int16_t input_count, output;
    uint16_t rows, steps;
    int16_t top, kinds, wake, reader, reader_input;
} ts_row_band_stage;

/* notes: where ts_row_band_rows of all windows and then the steps that each stage has taken (uint32_t) lie, in the
 * arena of this number. */
typedef struct {
    const ts_row_band_window *windows;
    const ts_row_band_stage *stages;
    uint32_t notes;
    int16_t window_count, stage_count, notes_arena;
} ts_row_band;

/* Of a window: rows that have been written, and which row the first place is for. */
typedef struct {
    int16_t written, first;
} ts_row_band_rows;

static inline int32_t ts_row_band_cut(int32_t row, int32_t height)
{
    return row < 0 ? 0 : row < height ? row : height;
}

/* Whether the rows of a window that a stage's next step reads are all there. */
static inline int ts_row_band_has(const ts_row_band *band, const ts_row_band_input *input, uint32_t step,
                                  const ts_row_band_rows *rows)
{
    const int32_t end = input->end + (int32_t)step * input->advance;
    return rows[input->window].written >= ts_row_band_cut(end, band->windows[input->window].height);
}

static inline int ts_row_band_is_ready(const ts_row_band *band, const ts_row_band_stage *stage, const uint32_t *steps,
                                       const ts_row_band_rows *rows)
{
    const uint32_t step = steps[stage - band->stages];
    if (step == stage->steps) {
        return 0;
    }
    if (stage->reader >= 0) {
        const ts_row_band_stage *const reader = &band->stages[stage->reader];
        const uint32_t reading = steps[stage->reader];
        if (reading == reader->steps || ts_row_band_has(band, &reader->inputs[stage->reader_input], reading, rows)) {
            return 0;
        }
    }
    for (int32_t i = 0; i < stage->input_count; i++) {
        if (!ts_row_band_has(band, &stage->inputs[i], step, rows)) {
            return 0;
        }
    }
    return 1;
}

/* Moves the rows of a window that are still read to its front. */
static inline void ts_row_band_make_place(const ts_row_band *band, const ts_row_band_window *window,
                                          ts_row_band_rows *rows, const uint32_t *steps, uint8_t *const *arenas)
{
    const ts_row_band_stage *const keeper = &band->stages[window->keeper];
    const ts_row_band_input *const input = &keeper->inputs[window->keeper_input];
    const uint32_t step = steps[window->keeper];
    int32_t kept = window->height;
    if (step < keeper->steps) {
        kept = ts_row_band_cut(input->first + (int32_t)step * input->advance, window->height);
    }
    kept = kept < rows->written ? kept : rows->written;
    if (kept == rows->first) {
        return;
    }
    uint8_t *const front = arenas[window->arena] + window->offset;
    ts_copy_bytes(front, front + (uint32_t)(kept - rows->first) * window->row_bytes,
                  (rows->written - kept) * (int32_t)window->row_bytes);
    rows->first = (int16_t)kept;
}

/* The same once a stage has taken a step, where it is the keeper of what it reads. */
static inline void ts_row_band_move_early(const ts_row_band *band, int32_t number, ts_row_band_rows *rows,
                                          const uint32_t *steps, uint8_t *const *arenas)
{
    const ts_row_band_stage *const stage = &band->stages[number];

    for (int32_t i = 0; i < stage->input_count; i++) {
        const int32_t input = stage->inputs[i].window;
        const ts_row_band_window *const window = &band->windows[input];
        if (window->early != 0 && window->keeper == number && window->keeper_input == i) {
            ts_row_band_make_place(band, window, &rows[input], steps, arenas);
        }
    }
}

static inline void ts_row_band_step(const ts_row_band *band, const ts_row_band_stage *stage, uint32_t step,
                                    ts_row_band_rows *all, const uint32_t *steps, uint8_t *const *arenas)
{
    const ts_row_band_window *const output = &band->windows[stage->output];
    ts_row_band_rows *const rows = &all[stage->output];
    const int32_t left = output->height - rows->written;
    const int32_t made = stage->rows != 0 ? stage->rows : step + 1 == stage->steps;
    const int32_t count = left < made ? left : made;
    uint8_t *at[TS_ROW_BAND_INPUTS + 1];

    if (output->keeper >= 0 && rows->written + count - rows->first > output->rows) {
        ts_row_band_make_place(band, output, rows, steps, arenas);
    }
    for (int32_t i = 0; i < stage->input_count; i++) {
        const ts_row_band_input *const input = &stage->inputs[i];
        const ts_row_band_window *const window = &band->windows[input->window];
        const int32_t first = ts_row_band_cut(input->first + (int32_t)step * input->advance, window->height);
        at[i] =
            arenas[window->arena] + window->offset + (uint32_t)(first - all[input->window].first) * window->row_bytes;
    }
    at[stage->input_count] =
        arenas[output->arena] + output->offset + (uint32_t)(rows->written - rows->first) * output->row_bytes;

    uint32_t kind = step;
    if (step > (uint32_t)stage->top) {
        const int32_t from_end = (int32_t)step + stage->kinds - stage->steps;
        kind = (uint32_t)(from_end > stage->top ? from_end : stage->top);
    }
    stage->run(arenas, kind, at);
    rows->written = (int16_t)(rows->written + count);
}

/* No row is computed yet. Windows that are moved late have places for the rows that their keeper reads above the image,
 * so that they are free at the front from the start. */
static inline void ts_row_band_begin(const ts_row_band *band, uint8_t *const *arenas)
{
    ts_row_band_rows *const rows = (void *)(arenas[band->notes_arena] + band->notes);
    uint32_t *const steps = (void *)(rows + band->window_count);

    for (int32_t i = 0; i < band->window_count; i++) {
        const ts_row_band_window *const window = &band->windows[i];
        rows[i].written = window->given != 0 ? (int16_t)window->height : 0;
        rows[i].first = 0;
        if (window->keeper >= 0 && window->early == 0) {
            const int16_t first = band->stages[window->keeper].inputs[window->keeper_input].first;
            rows[i].first = first < 0 ? first : 0;
        }
    }
    for (int32_t i = 0; i < band->stage_count; i++) {
        steps[i] = 0;
    }
}

/* Takes a step of the last stage, from `number` downwards, whose rows are there; which one, -1 where there is none. */
static inline int32_t ts_row_band_next(const ts_row_band *band, uint8_t *const *arenas, int32_t number)
{
    ts_row_band_rows *const rows = (void *)(arenas[band->notes_arena] + band->notes);
    uint32_t *const steps = (void *)(rows + band->window_count);

    while (number >= 0 && !ts_row_band_is_ready(band, &band->stages[number], steps, rows)) {
        number--;
    }
    if (number >= 0) {
        ts_row_band_step(band, &band->stages[number], steps[number], rows, steps, arenas);
        steps[number]++;
        ts_row_band_move_early(band, number, rows, steps, arenas);
    }
    return number;
}

/* All steps whose rows are there. */
static inline void ts_row_band_go_on(const ts_row_band *band, uint8_t *const *arenas)
{
    int32_t number = band->stage_count - 1;

    while ((number = ts_row_band_next(band, arenas, number)) >= 0) {
        number = band->stages[number].wake;
    }
}

/* From the first row to the last. */
static inline void ts_row_band_run(const ts_row_band *band, uint8_t *const *arenas)
{
    ts_row_band_begin(band, arenas);
    ts_row_band_go_on(band, arenas);
}

/* Where the next row of a window that is fed from outside is to be written. */
static inline uint8_t *ts_row_band_place(const ts_row_band *band, uint8_t *const *arenas, int32_t number)
{
    const ts_row_band_window *const window = &band->windows[number];
    ts_row_band_rows *const all = (void *)(arenas[band->notes_arena] + band->notes);
    ts_row_band_rows *const rows = &all[number];

    if (window->keeper >= 0 && rows->written + 1 - rows->first > window->rows) {
        ts_row_band_make_place(band, window, rows, (const void *)(all + band->window_count), arenas);
    }
    return arenas[window->arena] + window->offset + (uint32_t)(rows->written - rows->first) * window->row_bytes;
}

/* It was written there: takes all steps that it makes possible. */
static inline void ts_row_band_feed(const ts_row_band *band, uint8_t *const *arenas, int32_t number)
{
    ts_row_band_rows *const all = (void *)(arenas[band->notes_arena] + band->notes);

    all[number].written++;
    ts_row_band_go_on(band, arenas);
}

/* One step of it; 0 where there is none left. */
static inline int ts_row_band_more(const ts_row_band *band, uint8_t *const *arenas, int begin)
{
    if (begin != 0) {
        ts_row_band_begin(band, arenas);
    }
    return ts_row_band_next(band, arenas, band->stage_count - 1) >= 0;
}

#endif
