# SPDX-License-Identifier: Apache-2.0
"""The functions that a product calls: what the header declares and how model.c defines them.

There are two forms. With the instance ``static`` the model is one of its kind, in an arena of its own:
``ts_kws_invoke()``. With ``caller`` every function takes the caller's context, whose arena is the caller's,
too: ``ts_kws_invoke(&kws)``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from tinyserve.compiler.emit.events import EventsText
from tinyserve.compiler.emit.feed import FeedText
from tinyserve.compiler.emit.form import Form
from tinyserve.compiler.emit.sharing import Sharing
from tinyserve.compiler.program import BandCall, Buffer, KernelCall, Operand, Program

_REENTRANT = (
    "/* Re-entrant: nothing here is static but constants. Threads may run at one time, each with a context",
    "   and an arena of its own. One context is for one thread at a time. */",
)
_NOT_REENTRANT = (
    "/* Not re-entrant: one model in one static arena. Call from one thread at a time, and from no",
    "   interrupt that may come between. (With --instance caller, contexts and arenas are the caller's.) */",
)
_SHARED = (
    "   Run one model at a time, to its end, and write inputs after the other models have run. State and",
    "   kept outputs outlive the others' inferences. */",
)
_SHARED_FED = (
    "   Run one model at a time, from its first row to its end. State and kept outputs outlive the others'",
    "   inferences. */",
)
_STEP = (
    "/* Runs at most that many layers of an inference. Returns 1 when it is done, 0 when there is more to",
    "   do: while (!step(1)) { others run }. Between steps, inputs and outputs are not to be touched. */",
)
_STEP_OF_ROWS = (
    "/* Layers that are computed by rows count as many as they take steps, of some rows of one of them. */",
)
_STEP_AFTER_FEED = (
    "/* Steps begin after the last row; before it, step returns ROWS_MISSING. An invoke completes what steps",
    "   have begun. */",
)
_RESET_FED = (
    "/* Sets what the model remembers between inferences back to its initial values, and abandons an",
    "   inference: rows that were fed are forgotten, the next one is the first. */",
)
_RESET = (
    "/* Sets what the model remembers between inferences back to its initial values, and abandons an",
    "   inference in steps. */",
)


@dataclass(frozen=True)
class InterfaceText:
    """Writes the interface of one program. ``layers`` are its functions by call; ``argument`` gives an
    operand's address, ``arena`` the arena that a buffer lies in, ``by_rows`` the functions that take a step
    of a layer by rows. ``feed`` writes what a model has whose input comes by rows."""

    program: Program
    form: Form
    prefix: str
    macro: str
    alignment: int
    shared: str
    layers: Mapping[KernelCall, str]
    argument: Callable[[Operand], str]
    arena: Callable[[Buffer], str]
    events: EventsText
    by_rows: Mapping[BandCall, str]
    sharing: Sharing
    feed: FeedText

    # --- NAME.h

    def declarations(self) -> Iterator[str]:
        """Prototypes for NAME.h, in C's linkage."""
        p, only, first = self.prefix, self.form.only, self.form.first
        yield from _REENTRANT if self.caller else _NOT_REENTRANT
        if self.shared:
            yield f"/* The arena is shared with {self.shared}."
            yield from _SHARED_FED if self.feed else _SHARED
        yield from self.events.types()
        if self.caller:
            yield from self.context()
            yield f"/* Call once before anything else, with {self.macro}ARENA_BYTES bytes that start at a"
            yield f"   multiple of {self.macro}ARENA_ALIGNMENT. Also resets state. Returns 0, or 1 for an"
            yield "   arena that is NULL or starts elsewhere. */"
            yield f"int {p}init({first}void *arena);"
        else:
            yield "/* Call once before anything else. Also resets state. */"
            yield f"void {p}init(void);"
        yield from self.feed.declarations() if self.feed else self.whole_input()
        if self.feed:
            yield "/* Completes the inference after the last row. Returns 0 on success, or"
            yield f"   {self.feed.missing}, which changes nothing. */"
        else:
            yield "/* Runs the model once. Returns 0 on success. */"
        yield f"int {p}invoke({only});"
        about = (*_STEP, *_STEP_OF_ROWS) if self.by_rows else _STEP
        about = (*about, *_STEP_AFTER_FEED) if self.feed else about
        yield from self.stepped(*about, f"int {p}step({first}uint32_t layers);")
        until = "the next inference's first feed or row" if self.feed else "inputs are written again"
        yield f"/* Where to read an output (NULL: none such). Valid until {until}. */"
        yield f"const void *{p}output({first}uint32_t index);"
        yield from _RESET_FED if self.feed else _RESET
        yield f"void {p}reset({only});"
        yield from self.events.declaration()
        yield from ("", f"#ifdef {self.macro}PROFILE")
        yield "/* One layer at a time, in order from 0: the same code as invoke, for profiles and traces. */"
        yield f"void {p}invoke_layer({first}uint32_t layer);"
        yield f"const char *{p}layer_name(uint32_t layer);"
        yield f"const uint8_t *{p}arena_start({only});"
        yield "#endif"

    def whole_input(self) -> Iterator[str]:
        yield "/* Where to write an input (NULL: none such). The next invoke may overwrite it. */"
        yield f"void *{self.prefix}input({self.form.first}uint32_t index);"

    def context(self) -> Iterator[str]:
        yield from ("", "/* A model with its state. The fields are its own. */")
        yield f"typedef struct {self.name} {{"
        yield "  uint8_t *arena;"
        yield "  uint32_t next; /* the layer that a stepped inference comes to */"
        if self.by_rows:
            yield "  int in_rows; /* some rows of it are done */"
        yield from self.feed.fields()
        yield from self.events.fields()
        yield from (f"}} {self.name};", "")

    # --- NAME.c

    def definitions(self) -> Iterator[str]:
        """The functions, behind those of the layers."""
        p, only, first = self.prefix, self.form.only, self.form.first
        if not self.caller:
            next_layer = ("/* The layer that a stepped inference comes to. */", f"static uint32_t {p}next;")
            in_rows = [f"static int {p}in_rows; /* some rows of it are done */"] * bool(self.by_rows)
            yield from ("", *self.stepped(*next_layer, *in_rows))
        yield from self.feed.variables()
        yield from self.events.variables()
        yield from self.init()
        yield from ("", f"void {p}reset({only}) {{", *self.local_arena(self.has_state), *self.reset_state())
        yield from ([] if self.has_state or self.events or self.feed else self.unused_context())
        yield from (*self.events.begin_anew(), *self.begin_anew(), "}")
        yield from self.events.definitions()
        if self.feed:
            yield from ("", f"void {p}drop_rows({only}) {{", *self.begin_anew(), "}")
        yield from self.feed.definitions() if self.feed else self.input()
        yield from ("", f"int {p}invoke({only}) {{")
        yield from (*self.feed.check(), *self.feed.finish_steps())
        calls = [call for call in self.program.calls if call is not self.program.fed_band]
        yield from self.local_arena(bool(calls))
        for call in calls:
            yield from self.run(call)
        yield from (*self.begin_anew(), *self.events.end(True), "  return 0;", "}")
        yield from ("", f"const void *{p}output({first}uint32_t index) {{")
        yield from (*self.selection(self.program.outputs), "}")
        yield from self.table()
        yield from ("", *self.stepped(*self.step()))
        yield from self.profile()

    def input(self) -> Iterator[str]:
        inputs = [self.program.values[tensor] for tensor in self.program.input_tensors]
        head = f"void *{self.prefix}input({self.form.first}uint32_t index) {{"
        yield from ("", head, *self.selection(inputs), "}")

    def stepped(self, *lines: str) -> Iterator[str]:
        """What a product that defines NO_STEP is spared."""
        yield from (f"#ifndef {self.macro}NO_STEP", *lines, "#endif")

    def begin_anew(self) -> Iterator[str]:
        """No inference is begun."""
        in_rows = [f"  {self.form.in_rows} = 0;"] * bool(self.by_rows)
        yield from self.stepped(f"  {self.form.next_layer} = 0;", *in_rows)
        yield from self.feed.begin_anew()

    def init(self) -> Iterator[str]:
        p = self.prefix
        if not self.caller:
            yield from ("", f"void {p}init(void) {{ {p}reset(); }}")
            return
        yield from ("", f"int {p}init({self.name} *self, void *arena) {{")
        yield f"  if (arena == NULL || ((uintptr_t)arena % {self.alignment}u) != 0u) {{ return 1; }}"
        yield from ("  self->arena = arena;", *self.events.clear(), f"  {p}reset(self);", "  return 0;", "}")

    def reset_state(self) -> Iterator[str]:
        for buffer in self.states:
            initial = self.program.initial.get(buffer)
            source = f"{self.prefix}{initial.name}[i]" if initial else "0"
            yield f"  for (uint32_t i = 0; i < {buffer.nbytes}u; i++) {{"
            yield f"    {self.arena(buffer)}[at_{buffer.name} + i] = {source};"
            yield "  }"

    def run(self, call: KernelCall) -> Iterator[str]:
        """A layer, and the end of the inference where it says so."""
        yield f"  {self.function(call)}({self.form.layer_argument});"
        if call.continues is not None:
            yield f"  if (!{self.flag(call.continues)}) {{"
            yield from (*self.begin_anew(), *self.events.end(False, "    "), "    return 0;", "  }")

    def step(self) -> Iterator[str]:
        count = f"{self.macro}LAYER_COUNT"
        at = self.form.next_layer
        yield f"int {self.prefix}step({self.form.first}uint32_t layers) {{"
        if not self.program.calls:
            yield from ("  (void)layers;", *self.unused_context(), "  return 1;", "}")
            return
        yield from self.feed.check()
        yield from self.local_arena(True)
        yield f"  for (; layers > 0u && {at} < {count}; layers--) {{"
        yield from self.step_of_rows() if self.by_rows else ()
        yield f"    layer_functions[{at}]({self.form.layer_argument});"
        yield f"    {at}++;"
        for index, call in enumerate(self.program.calls):
            if call.continues is None:
                continue
            ended = f"{at} == {index + 1}u && !{self.flag(call.continues)}"
            if not self.events:
                yield f"    if ({ended}) {{ {at} = {count}; }}"
                continue
            yield f"    if ({ended}) {{"
            yield from (
                *self.events.end(False, "      "),
                f"      {at} = 0;",
                *self.feed.begin_anew("      "),
            )
            yield from ("      return 1;", "    }")
        yield "  }"
        yield f"  if ({at} < {count}) {{ return 0; }}"
        yield from (f"  {at} = 0;", *self.feed.begin_anew(), *self.events.end(True), "  return 1;", "}")

    def step_of_rows(self) -> Iterator[str]:
        """A layer by rows counts as many as it has steps; finding that it has no more counts nothing."""
        at, within = self.form.next_layer, self.form.in_rows
        first = f"{self.form.layer_argument}, " if self.form.layer_argument else ""
        yield f"    if (layer_rows[{at}] != NULL) {{"
        yield f"      if (layer_rows[{at}]({first}{within} == 0) != 0) {{ {within} = 1; continue; }}"
        yield from (f"      {within} = 0;", f"      {at}++;", "      layers++;", "      continue;", "    }")

    def table(self) -> Iterator[str]:
        if self.by_rows:
            yield from self.stepped(
                f"static int (*const layer_rows[])({self.form.rows_parameters}) = {{",
                *(
                    f"    {self.by_rows[call]},"
                    if isinstance(call, BandCall) and call in self.by_rows
                    else "    NULL,"
                    for call in self.program.calls
                ),
                "};",
            )
        if self.program.calls:
            yield from ("", self.one_by_one)
            yield f"static void (*const layer_functions[])({self.form.layer_parameter}) = {{"
            yield from (f"    {self.function(call)}," for call in self.program.calls)
            yield from ("};", "#endif")

    def profile(self) -> Iterator[str]:
        p, only, first = self.prefix, self.form.only, self.form.first
        names = [self.layers[call] for call in self.program.calls]
        yield from ("", f"#ifdef {self.macro}PROFILE")
        if names:
            yield "static const char *const layer_names[] = {"
            yield from (f'    "{name}",' for name in names)
            yield from ("};", "")
        count = f"{self.macro}LAYER_COUNT"
        argument = "self->arena" if self.caller else ""
        run = f"  if (layer < {count}) {{ layer_functions[layer]({argument}); }}"
        name = f"layer < {count} ? layer_names[layer] : NULL" if names else "layer ? NULL : NULL"
        yield f"void {p}invoke_layer({first}uint32_t layer) {{"
        yield from ([run] if names else ["  (void)layer;", *self.unused_context()])
        if self.feed:
            yield f"  if (layer == {count} - 1) {{ {self.form.fed_rows} = 0; }}"
        yield from ("}", "")
        yield f"const char *{p}layer_name(uint32_t layer) {{ return {name}; }}"
        start = "self->arena" if self.caller else self.form.arena
        yield f"const uint8_t *{p}arena_start({only}) {{ return {start}; }}"
        yield "#endif"

    def selection(self, operands: list[Operand]) -> Iterator[str]:
        if self.caller and not any(isinstance(operand, Buffer) for operand in operands):
            yield "  (void)self;"
        yield "  switch (index) {"
        for index, operand in enumerate(operands):
            yield f"    case {index}: return {self.address(operand)};"
        yield from ("    default: return NULL;", "  }")

    def address(self, operand: Operand) -> str:
        """Of an input or output, where the context is not yet known by its layers' name."""
        if not isinstance(operand, Buffer):
            return self.argument(operand)
        return f"{'self->arena' if self.caller else self.arena(operand)} + at_{operand.name}"

    # --- pieces

    def function(self, call: KernelCall) -> str:
        """The function of a layer: its own, or an earlier layer's that does the same."""
        return self.layers[self.sharing.function(call)]

    @property
    def one_by_one(self) -> str:
        """Begins what only builds need that run single layers."""
        return f"#if !defined({self.macro}NO_STEP) || defined({self.macro}PROFILE)"

    @property
    def caller(self) -> bool:
        return self.form.instance == "caller"

    @property
    def name(self) -> str:
        """The type of the context."""
        return self.prefix.rstrip("_")

    @property
    def states(self) -> list[Buffer]:
        return [buffer for buffer in self.program.buffers if buffer.kind == "state"]

    @property
    def has_state(self) -> bool:
        return bool(self.states)

    def flag(self, operand: Operand) -> str:
        return f"*(const uint8_t *){self.argument(operand)}"

    def local_arena(self, used: bool) -> Iterator[str]:
        """The context's arena under the name that layers know it by."""
        if self.caller and used:
            yield "  uint8_t *const arena = self->arena;"

    def unused_context(self) -> Iterator[str]:
        if self.caller:
            yield "  (void)self;"
