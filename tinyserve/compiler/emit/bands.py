# SPDX-License-Identifier: Apache-2.0
"""Bands as C: a function per layer, which takes a step of it, and the tables that the driver goes by."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from tinyserve.compiler.emit.calls import Places, initialisers, place
from tinyserve.compiler.program import BandCall, Buffer, Constant, KernelCall, RowStage


@dataclass(frozen=True)
class _InBand:
    """Where a step finds its values: rows where the driver says, all else where it always is. ``arena`` is
    the number of a buffer's arena."""

    rows: Sequence[Buffer]
    around: Places
    arena: Callable[[Buffer], int]

    def buffer(self, buffer: Buffer) -> str:
        if buffer in self.rows:
            return f"(void *)at[{self.rows.index(buffer)}]"
        return f"(void *)(arenas[{self.arena(buffer)}] + at_{buffer.name})"

    def constant(self, constant: Constant) -> str:
        return self.around.constant(constant)


def stage_function(
    stage: RowStage, name: str, around: Places, arena: Callable[[Buffer], int]
) -> Iterator[str]:
    """The function that takes a step of a layer: its kernels, with the parameters of the kind of step."""
    places = _InBand(stage.places, around, arena)
    calls = [[(call.function, _arguments(call, places)) for call in record] for record in stage.records]
    uses_arena = any("(arenas[" in argument for record in calls for _, given in record for argument in given)
    yield from ("", f"/* {stage.op}: {stage.rows} of its rows at a time. */")
    yield f"static void {name}(uint8_t *const *arenas, uint32_t kind, uint8_t *const *at) {{"
    if not uses_arena:
        yield "  (void)arenas;"
    if all(record == calls[0] for record in calls):
        yield from _alike(stage, calls[0], places)
    else:
        yield from _apart(stage, calls, places)
    yield "}"


def _arguments(call: KernelCall, places: Places) -> list[str]:
    return [place(arg, places) for arg in call.args]


def _alike(stage: RowStage, calls: Sequence[tuple[str, list[str]]], places: Places) -> Iterator[str]:
    """All kinds of steps call the same kernels: their parameters are a table."""
    statements = []
    chosen = "params{}[kind]" if len(stage.records) > 1 else "params{}[0]"
    if len(stage.records) == 1:
        yield "  (void)kind;"
    for index, (function, given) in enumerate(calls):
        number = "" if len(calls) == 1 else str(index + 1)
        params = stage.records[0][index].params
        if params is not None:
            yield f"  static const {params.c_type} params{number}[{len(stage.records)}] = {{"
            for record in stage.records:
                yield from ("      {", *initialisers(record[index], places, "          "), "      },")
            yield "  };"
        first = [] if params is None else [f"&{chosen.format(number)}"]
        statements.append(f"  {function}({', '.join([*first, *given])});")
    yield from statements


def _apart(
    stage: RowStage, calls: Sequence[Sequence[tuple[str, list[str]]]], places: Places
) -> Iterator[str]:
    """Kinds of steps that call kernels of their own."""
    yield "  switch (kind) {"
    for kind, record in enumerate(calls):
        yield f"    {'default' if kind == stage.top else f'case {kind}'}: {{"
        for index, (function, given) in enumerate(record):
            call = stage.records[kind][index]
            if call.params is not None:
                yield f"      static const {call.params.c_type} params{index} = {{"
                yield from (*initialisers(call, places, "          "), "      };")
            first = [] if call.params is None else [f"&params{index}"]
            yield f"      {function}({', '.join([*first, *given])});"
        yield from ("      break;", "    }")
    yield "  }"


def band_tables(
    call: BandCall, name: str, functions: Mapping[RowStage, str], arena: Callable[[Buffer], int]
) -> Iterator[str]:
    """Windows and stages of a band, as kernels/row_band.h describes them."""
    yield from ("", f"static const ts_row_band_window {name}_windows[] = {{")
    for window, arg in zip(call.windows, call.args, strict=False):
        assert isinstance(arg, Buffer)
        keeper = window.keeper or (-1, 0)
        yield (
            f"    {{at_{arg.name}, {window.row_bytes}, {window.height}, {window.rows}, {int(window.given)}, "
            f"{int(window.early)}, {keeper[0]}, {keeper[1]}, {arena(arg)}}},"
        )
    yield "};"
    for number, stage in enumerate(call.stages):
        rows = ", ".join(f"{{{t.window}, {t.advance}, {t.first}, {t.end}}}" for t in stage.inputs)
        yield f"static const ts_row_band_input {name}_inputs_{number}[] = {{{rows}}};"
    yield f"static const ts_row_band_stage {name}_stages[] = {{"
    for number, stage in enumerate(call.stages):
        reader, place = stage.reader or (-1, 0)
        yield (
            f"    {{{functions[stage]}, {name}_inputs_{number}, {len(stage.inputs)}, {stage.output}, "
            f"{stage.rows}, {stage.steps}, {stage.top}, {len(stage.records)}, {stage.wake}, "
            f"{reader}, {place}}},"
        )
    yield "};"
    yield (
        f"static const ts_row_band {name}_band = {{{name}_windows, {name}_stages, at_{call.notes.name}, "
        f"{len(call.windows)}, {len(call.stages)}, {arena(call.notes)}}};"
    )
