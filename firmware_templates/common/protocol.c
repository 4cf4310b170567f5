/* SPDX-License-Identifier: Apache-2.0 */
#include "protocol.h"

#include <stddef.h>

#include "config.h"
#include "frame_stream.h"
#include "mlperf.h"
#include "model_io.h"
#include "port.h"
#include "row_feed.h"
#include "serial_text.h"

#define LINE_BYTES PROTOCOL_LINE_BYTES
#define ECHO_BYTES 32u    /* how much of a wrong command an error repeats */
#define PRINT_BYTES 8u    /* per line of db print */
#define OUTPUT_BYTES 256u /* per line of ts-output */
#ifndef MAX_RUNS
#define MAX_RUNS 1000000u /* per command: a wrong digit must not occupy the device for days */
#endif
#define DEFAULT_WARMUP 10u /* of MLPerf Tiny's reference firmware */

#if defined(__GNUC__)
typedef uint32_t __attribute__((may_alias)) aliasing_word;
#else
typedef uint32_t aliasing_word;
#endif

static char line[LINE_BYTES + 1u];
static uint32_t line_length;
static int line_too_long;

#if !defined(model_input_copy) && !defined(MODEL_INPUT_ROWS)
/* Copies of the inputs: an invoke may overwrite the model's own. Inputs lie one behind the other. */
static _Alignas(uint32_t) uint8_t inputs[MODEL_INPUT_BYTES + 1u];
#endif
static uint32_t expected[MODEL_MAX_INPUTS + 1u];
static uint32_t loaded[MODEL_MAX_INPUTS + 1u];
static uint32_t selected;
static int
    own_bytes; /* ts-select: the next db load brings the model's own bytes, not what MLPerf Tiny's runner sends */
static int has_result;
static int from_floats; /* the input is sent as float32 values */
static int from_pixels; /* the input is sent as pixels from 0 to 255 */

/* ---- answers ---- */

static void say(const char *text)
{
    print_text(text);
    print_line_end();
}

static void say_number(const char *before, uint64_t number, const char *after)
{
    print_text(before);
    print_unsigned(number);
    say(after);
}

static void say_progress(void)
{
    print_text("m-[");
    print_unsigned(loaded[selected]);
    print_text(" of ");
    print_unsigned(expected[selected]);
    say(" bytes]");
}

/* An error that repeats what was wrong, as far as it is printable. */
static void fail(const char *what, const char *culprit)
{
    print_text("e-[");
    print_text(what);
    if (culprit != NULL) {
        print_text(": ");
        for (uint32_t i = 0; i < ECHO_BYTES && culprit[i] != '\0'; i++) {
            const char c = culprit[i];
            port_putc(c >= ' ' && c <= '~' && c != ']' ? c : '?');
        }
    }
    say("]");
}

static void fail_number(const char *what, uint64_t number)
{
    print_text("e-[");
    print_text(what);
    say_number(": ", number, "]");
}

/* ---- words and numbers ---- */

static int is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Cuts the next word off the cursor; "" at the end. */
static char *next_word(char **cursor)
{
    char *at = *cursor;
    while (is_space(*at)) {
        at++;
    }
    char *const word = at;
    while (*at != '\0' && !is_space(*at)) {
        at++;
    }
    if (*at != '\0') {
        *at++ = '\0';
    }
    *cursor = at;
    return word;
}

static int equal(const char *a, const char *b)
{
    while (*a != '\0' && *a == *b) {
        a++;
        b++;
    }
    return *a == *b;
}

static int parse_unsigned(const char *word, uint32_t *value)
{
    uint64_t number = 0;
    if (*word == '\0') {
        return 0;
    }
    for (; *word != '\0'; word++) {
        if (*word < '0' || *word > '9') {
            return 0;
        }
        number = number * 10u + (uint64_t)(*word - '0');
        if (number > UINT32_MAX) {
            return 0;
        }
    }
    *value = (uint32_t)number;
    return 1;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }
    if (c >= 'A' && c <= 'F') {
        return c - 'A' + 10;
    }
    return -1;
}

/* The index argument of ts-select and ts-output: below count, 0 where it is left out. */
static int parse_index(char *args, uint32_t count, uint32_t *index)
{
    const char *const word = next_word(&args);
    *index = 0;
    if ((*word != '\0' && !parse_unsigned(word, index)) || *index >= count) {
        fail("index out of range", word);
        return 0;
    }
    return 1;
}

/* The arguments N W of infer and ts-infer. */
static int parse_runs(char *args, uint32_t *runs, uint32_t *warmup)
{
    const char *const first = next_word(&args);
    const char *const second = next_word(&args);
    *runs = 1;
    *warmup = DEFAULT_WARMUP;
    if ((*first != '\0' && !parse_unsigned(first, runs)) || *runs == 0u || *runs > MAX_RUNS) {
        fail("inferences must be 1 to 1000000", first);
        return 0;
    }
    if ((*second != '\0' && !parse_unsigned(second, warmup)) || *warmup > MAX_RUNS) {
        fail("warm-up runs must be 0 to 1000000", second);
        return 0;
    }
    return 1;
}

/* The ticks that reading the clock takes itself, the least of a few tries. */
static uint64_t clock_cost(void)
{
    uint64_t least = UINT64_MAX;
    for (int i = 0; i < 8; i++) {
        const uint64_t before = port_ticks();
        const uint64_t after = port_ticks();
        if (after - before < least) {
            least = after - before;
        }
    }
    return least;
}

/* ---- inputs ---- */

#ifdef MODEL_INPUT_ROWS

/* The input is fed as it comes, so nothing of it is there for a second inference. */

static int inputs_complete(void)
{
    if (model_rows_left() > 0u) {
        fail_number("input incomplete, rows are missing", model_rows_left());
        return 0;
    }
    return 1;
}

static void begin_input(void)
{
    has_result = 0; /* the first row overwrites it */
    row_feed_begin(clock_cost());
}

static void give_inputs_to_model(void)
{
}

/* What the model has taken for it already. */
static uint64_t ticks_of_input(void)
{
    return row_feed_ticks();
}

static void put_byte(uint32_t offset, uint8_t byte)
{
    (void)offset;
    row_feed_byte(byte);
}

static void print_input(void)
{
    fail("db print: the input is fed by rows, none of it is kept", NULL);
}

#else

static uint8_t *input_copy(uint32_t index)
{
#ifdef model_input_copy
    return model_input_copy(index); /* the model's memory has a place for them */
#else
    uint8_t *copy = inputs;
    for (uint32_t i = 0; i < index; i++) {
        copy += model_inputs[i].bytes;
    }
    return copy;
#endif
}

static int inputs_complete(void)
{
    for (uint32_t i = 0; i < MODEL_INPUT_COUNT; i++) {
        if (loaded[i] != expected[i]) {
            fail_number("input incomplete", i);
            return 0;
        }
    }
    return 1;
}

/* Words where both sides lie at words. */
static void copy(uint8_t *to, const uint8_t *from, uint32_t bytes)
{
    uint32_t k = 0;
    if ((((uintptr_t)to | (uintptr_t)from) & 3u) == 0u) {
        for (; k + 4u <= bytes; k += 4u) {
            *(aliasing_word *)(void *)(to + k) = *(const aliasing_word *)(const void *)(from + k);
        }
    }
    for (; k < bytes; k++) {
        to[k] = from[k];
    }
}

static void give_inputs_to_model(void)
{
    for (uint32_t i = 0; i < MODEL_INPUT_COUNT; i++) {
        copy(model_input(i), input_copy(i), model_inputs[i].bytes);
    }
}

/* Whether the model left its inputs as they were given: another inference would compute the same. */
static int inputs_are_kept(void)
{
    for (uint32_t i = 0; i < MODEL_INPUT_COUNT; i++) {
        const uint8_t *const given = input_copy(i);
        const uint8_t *const left = model_input(i);
        for (uint32_t k = 0; k < model_inputs[i].bytes; k++) {
            if (left[k] != given[k]) {
                return 0;
            }
        }
    }
    return 1;
}

/* Where db puts what it is sent. */
static uint8_t *load_target(void)
{
    return from_floats ? mlperf_floats : input_copy(selected);
}

static void begin_input(void)
{
}

static uint64_t ticks_of_input(void)
{
    return 0;
}

static void put_byte(uint32_t offset, uint8_t byte)
{
    load_target()[offset] = byte;
}

static void print_input(void)
{
    const uint8_t *const copy = load_target();
    for (uint32_t at = 0; at < loaded[selected]; at += PRINT_BYTES) {
        print_text("m-buffer");
        for (uint32_t i = at; i < loaded[selected] && i < at + PRINT_BYTES; i++) {
            port_putc('-');
            print_hex(copy + i, 1u);
        }
        print_line_end();
    }
}

#endif

static void load_begin(const char *word)
{
    const uint32_t bytes = model_inputs[selected].bytes;
    uint32_t count;
    if (!parse_unsigned(word, &count)) {
        fail("db load needs a number of bytes", word);
    } else if (count != bytes && (count != CONFIG_MLPERF_FLOATS * 4u || count == 0u)) {
        fail_number("db load: the input's size in bytes is", bytes);
    } else {
        from_floats = count != bytes;
        from_pixels = CONFIG_MLPERF_PIXELS && !own_bytes;
        own_bytes = 0;
        has_result = has_result && !CONFIG_MLPERF_RECONSTRUCTION; /* it compares with the input */
        expected[selected] = count;
        loaded[selected] = 0;
        begin_input();
        say_number("m-[Expecting ", count, " bytes]");
    }
}

/* The last byte has come: what the runner sent becomes what the model takes. */
static void load_end(void)
{
#ifndef MODEL_INPUT_ROWS
    if (from_floats) {
        mlperf_quantize(input_copy(selected));
    } else if (from_pixels) {
        mlperf_shift_pixels(input_copy(selected), loaded[selected]);
    }
#endif
    say("m-load-done");
}

/* All or nothing: a line with a bad digit or too many bytes changes nothing. */
static void load_hex(const char *word)
{
    uint32_t digits = 0;
    for (; word[digits] != '\0'; digits++) {
        if (hex_digit(word[digits]) < 0) {
            fail("db: not hexadecimal", word);
            return;
        }
    }
    if (digits % 2u != 0u) {
        fail("db: odd number of hexadecimal digits", NULL);
        return;
    }
    if (digits / 2u > expected[selected] - loaded[selected]) {
        fail_number("db: more bytes than expected, room is left for", expected[selected] - loaded[selected]);
        return;
    }
    for (uint32_t i = 0; i < digits; i += 2u) {
        put_byte(loaded[selected] + i / 2u, (uint8_t)(hex_digit(word[i]) << 4 | hex_digit(word[i + 1u])));
    }
    loaded[selected] += digits / 2u;
    if (digits > 0u && loaded[selected] == expected[selected]) {
        load_end();
    } else {
        say_progress();
    }
}

static void command_db(char *args)
{
    const char *const word = next_word(&args);
    if (*word == '\0') {
        say_progress();
    } else if (MODEL_INPUT_COUNT == 0u) {
        fail("the model has no input", NULL);
    } else if (equal(word, "load")) {
        load_begin(next_word(&args));
    } else if (equal(word, "print")) {
        print_input();
    } else if (*next_word(&args) != '\0') {
        fail("db: one word of hexadecimal digits", NULL);
    } else {
        load_hex(word);
    }
}

static void command_select(char *args)
{
    uint32_t index;
    if (parse_index(args, MODEL_INPUT_COUNT, &index)) {
        selected = index;
        own_bytes = 1;
    }
}

/* ---- events ---- */

#if MODEL_MAX_EVENTS > 0u

/* Those of the last inference: said when its time has been taken. */
static ts_event events[MODEL_MAX_EVENTS];
static uint32_t event_count;

static void keep_event(const ts_event *event)
{
    if (event_count < MODEL_MAX_EVENTS) {
        events[event_count++] = *event;
    }
#ifdef model_event_heard
    model_event_heard(event);
#endif
}

static void forget_events(void)
{
    event_count = 0;
}

static void say_payload(uint32_t index)
{
    const uint8_t *const values = model_output(index);
    const uint32_t bytes = model_outputs[index].bytes;
    for (uint32_t at = 0; at < bytes; at += OUTPUT_BYTES) {
        print_text("ts-payload-[");
        print_hex(values + at, bytes - at < OUTPUT_BYTES ? bytes - at : OUTPUT_BYTES);
        say("]");
    }
}

static void say_events(void)
{
    for (uint32_t i = 0; i < event_count; i++) {
        const ts_event *const event = &events[i];
        print_text("ts-event-[");
        print_text(event->name);
        port_putc(',');
        print_unsigned((uint32_t)event->class_number);
        port_putc(',');
        print_unsigned(event->inference);
        port_putc(',');
        print_unsigned(event->sample);
        port_putc(',');
        print_unsigned(event->first_output);
        say_number(",", event->output_count, "]");
        for (uint32_t k = 0; k < event->output_count; k++) {
            say_payload(event->first_output + k);
        }
    }
    forget_events();
}

#else

static void forget_events(void)
{
}

static void say_events(void)
{
}

#endif

/* ---- inference ---- */

/* Whether the invoke ended well. */
static int judge(int status)
{
    if (status != 0) {
        fail("the model's invoke failed", NULL);
    }
    has_result = status == 0;
    return has_result;
}

static uint64_t without(uint64_t ticks, uint64_t cost)
{
    return ticks > cost ? ticks - cost : 0u;
}

#ifndef MODEL_INPUT_ROWS

static int invoke(void)
{
    forget_events();
    return judge(model_invoke());
}

static int infer_once(void)
{
    give_inputs_to_model();
    return invoke();
}

/* Only inferences, as the reference firmware has it: the input is loaded once, before. A model with a state, whose
 * results depend on every input, is given it anew each time. */
static int infer_again_and_again(uint32_t runs)
{
    for (uint32_t i = 0; i < runs; i++) {
        if (MODEL_IS_STATEFUL && i > 0u) {
            give_inputs_to_model();
        }
        if (!invoke()) {
            return 0;
        }
    }
    return 1;
}

static int run_warmup(uint32_t runs)
{
    for (uint32_t i = 0; i < runs; i++) {
        if (!infer_once()) {
            return 0;
        }
    }
    return 1;
}

#endif

static int64_t element(const uint8_t *at, const tensor_io *t)
{
    uint64_t bits = 0;
    for (uint32_t i = 0; i < t->element_bytes; i++) {
        bits |= (uint64_t)at[i] << (8u * i);
    }
    if (t->kind == ELEMENT_SIGNED && t->element_bytes < 8u) {
        const uint64_t sign = UINT64_C(1) << (8u * t->element_bytes - 1u);
        return (int64_t)(bits ^ sign) - (int64_t)sign;
    }
    return (int64_t)bits;
}

static void print_value(const uint8_t *at, const tensor_io *t)
{
    if (t->kind == ELEMENT_FLOAT) {
        union {
            uint32_t bits;
            float real;
        } cast = {(uint32_t)element(at, t)};
        print_float(cast.real);
        return;
    }
    const int64_t stored = element(at, t);
    const int negative = stored < t->zero_point;
    const uint64_t distance =
        negative ? (uint64_t)t->zero_point - (uint64_t)stored : (uint64_t)stored - (uint64_t)t->zero_point;
    print_scaled(negative, distance * t->scale_mantissa, t->scale_exponent);
}

static void print_results(void)
{
    const tensor_io *const t = &model_outputs[0];
    const uint8_t *const values = model_output(0);
    print_text("m-results-[");
#ifndef MODEL_INPUT_ROWS
    if (CONFIG_MLPERF_RECONSTRUCTION) {
        print_float(mlperf_reconstruction_error(input_copy(0), values, from_floats));
        say("]");
        return;
    }
#endif
    for (uint32_t at = 0; at < t->bytes; at += t->element_bytes) {
        if (at > 0u) {
            port_putc(',');
        }
        print_value(values + at, t);
    }
    say("]");
}

/* A time stamp for the runner: in energy mode an edge of a pin, which its monitor sees; else it is said. */
static uint64_t stamp(void)
{
#ifdef CONFIG_ENERGY_MODE
    port_timestamp_edge();
#endif
    return port_timestamp_us();
}

static void say_stamp(uint64_t us)
{
#ifdef CONFIG_ENERGY_MODE
    (void)us;
#else
    say_number("m-lap-us-", us, "");
#endif
}

#ifdef MODEL_INPUT_ROWS

static void command_infer(char *args)
{
    (void)args;
    fail("infer: the input is fed by rows and gone after an inference, use ts-infer 1 0", NULL);
}

static void command_ts_infer(char *args)
{
    uint32_t runs, warmup;
    uint64_t ticks;
    if (!parse_runs(args, &runs, &warmup)) {
        return;
    }
    if (runs != 1u || warmup != 0u) {
        fail("ts-infer: the input is fed by rows, load it for each inference and use ts-infer 1 0", NULL);
        return;
    }
    if (!inputs_complete()) {
        return;
    }
    say("ts-started");
    forget_events();
    if (judge(row_feed_invoke(&ticks))) {
        say_number("ts-ticks-[", row_feed_ticks() + ticks, "]");
        say_events();
    }
}

#else

static void command_infer(char *args)
{
    uint32_t runs, warmup;
    if (!parse_runs(args, &runs, &warmup) || !inputs_complete()) {
        return;
    }
    say_number("m-warmup-start-", warmup, "");
    if (!run_warmup(warmup)) {
        return;
    }
    say("m-warmup-done");
    say_number("m-infer-start-", runs, "");
    give_inputs_to_model();
    const uint64_t start = stamp();
    port_marker(1);
    const int done = infer_again_and_again(runs);
    port_marker(0);
    const uint64_t end = stamp();
    if (!done) {
        return;
    }
    say_stamp(start);
    say_stamp(end);
    say("m-infer-done");
    /* Where an inference overwrites its input, all but the first computed something else. */
    if (runs > 1u && !MODEL_IS_STATEFUL && !inputs_are_kept() && !infer_once()) {
        return;
    }
    print_results();
}

static void command_ts_infer(char *args)
{
    uint32_t runs, warmup;
    if (!parse_runs(args, &runs, &warmup) || !inputs_complete()) {
        return;
    }
    say("ts-started"); /* the command has arrived: what follows may take long */
    if (!run_warmup(warmup)) {
        return;
    }
    const uint64_t cost = clock_cost();
    for (uint32_t i = 0; i < runs; i++) {
        give_inputs_to_model();
        forget_events();
        port_marker(1);
        const uint64_t start = port_ticks();
        const int status = model_invoke();
        const uint64_t end = port_ticks();
        port_marker(0);
        if (status != 0) {
            fail("the model's invoke failed", NULL);
            return;
        }
        has_result = 1;
        say_number("ts-ticks-[", without(end - start, cost), "]");
        say_events();
    }
}

#endif

static void command_results(char *args)
{
    (void)args;
    if (has_result) {
        print_results();
    } else {
        fail("no inference yet", NULL);
    }
}

static void command_ts_profile(char *args)
{
    (void)args;
    if (!inputs_complete()) {
        return;
    }
    say("ts-started");
    const uint64_t cost = clock_cost();
    give_inputs_to_model();
    uint64_t before = ticks_of_input();                 /* the first layer's */
    for (uint32_t i = 0; i != MODEL_LAYER_COUNT; i++) { /* interpreters have none */
        const uint64_t start = port_ticks();
        model_invoke_layer(i);
        const uint64_t end = port_ticks();
        print_text("ts-layer-[");
        print_unsigned(i);
        port_putc(',');
        print_text(model_layer_name(i));
        say_number(",", before + without(end - start, cost), "]");
        before = 0;
    }
    has_result = 1;
}

#ifdef model_step
static void command_ts_steps(char *args)
{
    (void)args;
    if (!inputs_complete()) {
        return;
    }
    say("ts-started");
    const uint64_t cost = clock_cost();
    int done = 0;
    give_inputs_to_model();
#ifdef MODEL_INPUT_ROWS
    say_number("ts-part-[", row_feed_longest(), "]");
#endif
    while (!done) {
        const uint64_t start = port_ticks();
        done = model_step(1);
        const uint64_t end = port_ticks();
        say_number("ts-part-[", without(end - start, cost), "]");
    }
    has_result = 1;
}
#endif

static void command_ts_output(char *args)
{
    uint32_t index;
    if (!has_result) {
        fail("no inference yet", NULL);
    } else if (parse_index(args, MODEL_OUTPUT_COUNT, &index)) {
        const uint8_t *const values = model_output(index);
        const uint32_t bytes = model_outputs[index].bytes;
        for (uint32_t at = 0; at < bytes; at += OUTPUT_BYTES) {
            print_text("ts-output-[");
            print_hex(values + at, bytes - at < OUTPUT_BYTES ? bytes - at : OUTPUT_BYTES);
            say("]");
        }
        say("ts-output-done");
    }
}

static void command_ts_reset(char *args)
{
    (void)args;
    model_reset();
    has_result = 0;
#ifdef MODEL_INPUT_ROWS
    begin_input();
    loaded[0] = expected[0] = 0;
#endif
}

/* ---- streaming ---- */

#if CONFIG_STREAM_FRAME_BYTES > 0u

static void command_start(char *args)
{
    (void)args;
    uint8_t *const window = input_copy(0);
    for (uint32_t i = 0; i < model_inputs[0].bytes; i++) {
        window[i] = (uint8_t)model_inputs[0].zero_point;
    }
    loaded[0] = expected[0] = model_inputs[0].bytes;
    model_reset();
    stream_start();
    say_number("m-[streaming, a frame every 32 ms has bytes: ", CONFIG_STREAM_FRAME_BYTES, "]");
}

static void command_stop(char *args)
{
    (void)args;
    if (stream_is_on()) {
        stream_stop();
        stream_print_activations();
    }
}

static void command_ts_stream(char *args)
{
    (void)args;
    stream_print_figures();
}

static void command_print_detections(char *args)
{
    (void)args;
    stream_print_detections();
}

/* One step; frame NULL: of the sound that was heard. */
static void stream_one(const uint8_t *frame)
{
    port_marker(1);
    const uint64_t begin = port_timestamp_us();
#if CONFIG_STREAM_SAMPLES > 0u
    uint8_t heard[CONFIG_STREAM_FRAME_BYTES];
    if (frame == NULL) {
        stream_features(heard);
        frame = heard;
    }
#endif
    stream_push(input_copy(0), model_inputs[0].bytes, frame);
    const int done = infer_once();
    const uint64_t end = port_timestamp_us();
    port_marker(0);
    if (done) {
        print_text("ts-step-[");
        print_hex(model_output(0), model_outputs[0].bytes);
        say(stream_step(model_output(0), end - begin) ? ",detected]" : "]");
        say_events();
    }
}

static void command_ts_frame(char *args)
{
    uint8_t frame[CONFIG_STREAM_FRAME_BYTES];
    const char *const word = next_word(&args);
    uint32_t digits = 0;
    while (digits < 2u * CONFIG_STREAM_FRAME_BYTES && hex_digit(word[digits]) >= 0) {
        const uint8_t digit = (uint8_t)hex_digit(word[digits]);
        frame[digits / 2u] = (uint8_t)(digits % 2u == 0u ? digit << 4 : frame[digits / 2u] | digit);
        digits++;
    }
    if (!stream_is_on()) {
        fail("nothing streams, send start%", NULL);
    } else if (digits != 2u * CONFIG_STREAM_FRAME_BYTES || word[digits] != '\0') {
        fail_number("ts-frame: hexadecimal bytes wanted", CONFIG_STREAM_FRAME_BYTES);
    } else {
        stream_one(frame);
    }
}

#if CONFIG_STREAM_SAMPLES > 0u

/* Of 16 bits, the lower byte first, in four hexadecimal digits. */
static int16_t read_sample(const char *digits)
{
    const uint32_t low = (uint32_t)hex_digit(digits[0]) << 4 | (uint32_t)hex_digit(digits[1]);
    const uint32_t high = (uint32_t)hex_digit(digits[2]) << 4 | (uint32_t)hex_digit(digits[3]);
    return (int16_t)(uint16_t)(high << 8 | low);
}

static void command_ts_audio(char *args)
{
    const char *const word = next_word(&args);
    uint32_t digits = 0;
    while (hex_digit(word[digits]) >= 0) {
        digits++;
    }
    if (!stream_is_on()) {
        fail("nothing streams, send start%", NULL);
        return;
    }
    if (digits == 0u || digits % 4u != 0u || word[digits] != '\0') {
        fail("ts-audio: samples of 16 bits wanted, as hexadecimal bytes", NULL);
        return;
    }
    for (uint32_t i = 0; i < digits; i += 4u) {
        const int16_t sample = read_sample(word + i);
        (void)stream_hear(&sample, 1u);
        if (stream_frame_is_due()) {
            stream_one(NULL);
        }
    }
}

#endif

#endif

/* ---- identity ---- */

static void command_name(char *args)
{
    (void)args;
#ifdef CONFIG_EMULATED
    say("m-name-dut-[tinyserve, emulated: times are estimates]");
#else
    say("m-name-dut-[tinyserve]");
#endif
}

static void command_profile(char *args)
{
    (void)args;
    say("m-profile-[ULPMark for tinyML Firmware V0.0.1]");
    say("m-model-[" CONFIG_MODEL_ID "]");
#ifdef CONFIG_EMULATED
    print_text("m-emulated-[m-lap-us is an estimate: " CONFIG_CYCLES_PER_INSTRUCTION " cycles per instruction at ");
    print_unsigned(CONFIG_CLOCK_HZ / 1000000u);
    say(" MHz]");
#endif
}

static void command_timestamp(char *args)
{
    (void)args;
    say_stamp(stamp());
}

static void say_sizes(const char *name, const tensor_io *tensors, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        print_text("ts-info-[");
        print_text(name);
        print_unsigned(i);
        say_number("_bytes=", tensors[i].bytes, "]");
    }
}

static void command_ts_info(char *args)
{
    (void)args;
    say("ts-info-[protocol=1]");
    say("ts-info-[version=" CONFIG_VERSION "]");
    print_text("ts-info-[model_sha256=");
    print_text(MODEL_SHA256);
    say("]");
    say("ts-info-[engine=" CONFIG_ENGINE "]");
    say("ts-info-[firmware_id=" CONFIG_FIRMWARE_ID "]");
    say("ts-info-[board=" CONFIG_BOARD "]");
    say("ts-info-[core=" CONFIG_CORE "]");
    say_number("ts-info-[inputs=", MODEL_INPUT_COUNT, "]");
    say_number("ts-info-[outputs=", MODEL_OUTPUT_COUNT, "]");
    say_sizes("input_", model_inputs, MODEL_INPUT_COUNT);
    say_sizes("output_", model_outputs, MODEL_OUTPUT_COUNT);
#ifdef MODEL_INPUT_ROWS
    say_number("ts-info-[input_rows=", MODEL_INPUT_ROWS, "]");
#endif
    say("ts-info-[tick_unit=" CONFIG_TICK_UNIT "]");
    say_number("ts-info-[tick_hz=", CONFIG_TICK_HZ, "]");
    if (port_clock_hz() > 0u) {
        say_number("ts-info-[clock_hz=", port_clock_hz(), "]");
    }
    if (port_counted_tick_hz() > 0u) {
        say_number("ts-info-[counted_tick_hz=", port_counted_tick_hz(), "]");
    }
    say_number("ts-info-[arena_bytes=", MODEL_ARENA_BYTES, "]");
    say_number("ts-info-[layers=", MODEL_LAYER_COUNT, "]");
    say_number("ts-info-[line_bytes=", LINE_BYTES, "]");
    say_number("ts-info-[events=", MODEL_EVENT_COUNT, "]");
    say("ts-info-[says_started=1]");
}

static void command_ts_memory(char *args)
{
    (void)args;
    say_number("ts-memory-[arena=", MODEL_ARENA_BYTES, "]");
    if (port_stack_size() > 0u) {
        say_number("ts-memory-[stack_used=", port_stack_used(), "]");
        say_number("ts-memory-[stack_size=", port_stack_size(), "]");
    }
}

/* ---- commands ---- */

static void command_help(char *args);

#ifndef protocol_is_open
#define protocol_is_open() 1 /* firmware for the bench and the desk */
#endif

/* What strangers may ask where the line is closed. */
#define PUBLIC_COMMANDS 2u

static const struct {
    const char *name;
    void (*run)(char *args);
    const char *help;
} commands[] = {
    {"name", command_name, "name: the device's name"},
    {"profile", command_profile, "profile: firmware profile and model"},
    {"timestamp", command_timestamp, "timestamp: microseconds since start, or an edge of a pin"},
    {"db", command_db, "db [load N | HEX | print]: the input buffer"},
    {"infer", command_infer, "infer N W: W warm-up runs, N timed runs"},
    {"results", command_results, "results: values of output 0"},
    {"help", command_help, "help: this list"},
    {"ts-info", command_ts_info, "ts-info: what runs here"},
    {"ts-select", command_select, "ts-select I: the input that db load fills, byte for byte"},
    {"ts-infer", command_ts_infer, "ts-infer N W: ticks of each of N runs"},
    {"ts-output", command_ts_output, "ts-output I: bytes of output I"},
    {"ts-memory", command_ts_memory, "ts-memory: arena and stack in bytes"},
    {"ts-profile", command_ts_profile, "ts-profile: ticks per layer"},
#ifdef model_step
    {"ts-steps", command_ts_steps, "ts-steps: ticks per step"},
#endif
#if CONFIG_STREAM_FRAME_BYTES > 0u
    {"start", command_start, "start: begins to stream"},
    {"stop", command_stop, "stop: ends it; activations of the wake word"},
    {"print_detections", command_print_detections, "print_detections: when the wake word was heard"},
    {"ts-stream", command_ts_stream, "ts-stream: steps, detections and duty cycle so far"},
    {"ts-frame", command_ts_frame, "ts-frame HEX: the next frame"},
#if CONFIG_STREAM_SAMPLES > 0u
    {"ts-audio", command_ts_audio, "ts-audio HEX: the next samples of sound"},
#endif
#endif
    {"ts-reset", command_ts_reset, "ts-reset: state to its initial values"},
};

static void command_help(char *args)
{
    (void)args;
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        print_text("m-help-[");
        print_text(commands[i].help);
        say("]");
    }
}

static void run_command(char *text)
{
    const char *const name = next_word(&text);
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        if (equal(name, commands[i].name)) {
            if (i < PUBLIC_COMMANDS || protocol_is_open()) {
                commands[i].run(text);
            } else {
                fail("locked: this firmware was built with --secure", NULL);
            }
            return;
        }
    }
    fail("unknown command, try help%", name);
}

void protocol_forget(void)
{
    selected = 0;
    own_bytes = 0;
    from_floats = 0;
    from_pixels = 0;
    has_result = 0;
    for (uint32_t i = 0; i < MODEL_MAX_INPUTS; i++) {
        expected[i] = 0;
        loaded[i] = 0;
    }
}

void protocol_start(void)
{
    model_init();
#if MODEL_MAX_EVENTS > 0u
    model_on_event(keep_event);
#endif
    line_length = 0;
    line_too_long = 0;
    protocol_forget();
#ifdef CONFIG_ENERGY_MODE
    say("m-timestamp-mode-energy");
    port_timestamp_edge(); /* so that the pin has its resting level from now on */
#else
    say("m-timestamp-mode-performance");
#endif
    say("m-init-done");
    say("m-ready");
}

void protocol_receive(char c)
{
    if (c == '%') {
        line[line_length] = '\0';
        if (line_too_long) {
            fail_number("command too long, the limit in characters is", LINE_BYTES);
        } else {
            run_command(line);
        }
        say("m-ready");
        line_length = 0;
        line_too_long = 0;
    } else if (line_length == 0u && is_space(c)) {
        return; /* white space between commands */
    } else if (line_length == LINE_BYTES) {
        line_too_long = 1;
    } else {
        line[line_length++] = c == '\0' ? '?' : c;
    }
}
