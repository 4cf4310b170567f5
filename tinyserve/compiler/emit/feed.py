# SPDX-License-Identifier: Apache-2.0
"""What a model has whose input is fed by rows: the functions that take them, beside those of every model."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from tinyserve.compiler.emit.form import Form
from tinyserve.compiler.program import KernelCall, Program, RowWindow

_FEED = """/* Takes the next `count` rows of the input, {row_bytes} bytes each, in order from the first, and
   computes all that these rows make possible. They are copied: afterwards `rows` is the caller's again.
   Returns 0, {macro}TOO_MANY_ROWS if fewer than `count` are missing, or {macro}NULL_ROWS if
   `rows` is NULL; then no row is taken. The first row begins a new inference. */
"""
_ROW = """/* Where to write the next row in place (by a DMA, for example), so that it need not be copied:
   feed(row(), 1) takes it. Valid until the next feed or reset; NULL if no row is missing. */
"""
_DROP = """/* Forgets the rows of an inference that was not completed: the next row is the first. Unlike reset
   it leaves what the model remembers between inferences. */
"""
_LEFT = """/* How many rows are missing until invoke (or step) can complete the inference. */
"""


@dataclass(frozen=True)
class FeedText:
    """Writes for one program; empty where its input is handed over as a whole. ``layers`` as in
    ``InterfaceText``, ``arenas`` declares all arenas."""

    program: Program
    form: Form
    prefix: str
    macro: str
    layers: Mapping[KernelCall, str]
    arenas: Callable[[], str]

    def __bool__(self) -> bool:
        return self.program.fed_band is not None

    @property
    def rows(self) -> RowWindow:
        found = self.program.fed_rows
        assert found is not None
        return found

    @property
    def is_waiting(self) -> str:
        """Whether rows are missing, in C."""
        return f"{self.form.fed_rows} < {self.macro}INPUT_0_ROWS"

    @property
    def missing(self) -> str:
        """What invoke and step return then."""
        return f"{self.macro}ROWS_MISSING"

    # --- NAME.h

    def macros(self) -> Iterator[str]:
        if self:
            yield from ("", "/* The input comes by rows, so it lies nowhere as a whole. */")
            yield f"#define {self.macro}INPUT_0_ROWS {self.rows.height}"
            yield f"#define {self.macro}INPUT_0_ROW_BYTES {self.rows.row_bytes}"
            yield "/* What feed, invoke and step return where they did nothing. */"
            yield f"#define {self.macro}ROWS_MISSING (-1)  /* invoke, step: the input is not complete yet */"
            yield f"#define {self.macro}TOO_MANY_ROWS (-2) /* feed: more rows than are missing */"
            yield f"#define {self.macro}NULL_ROWS (-3)     /* feed: rows are at NULL */"

    def declarations(self) -> Iterator[str]:
        p, only, first = self.prefix, self.form.only, self.form.first
        yield from _lines(_FEED, row_bytes=self.rows.row_bytes, macro=self.macro)
        yield f"int {p}feed({first}const void *rows, uint32_t count);"
        yield from (*_lines(_ROW), f"void *{p}row({only});")
        yield from (*_lines(_LEFT), f"uint32_t {p}rows_left({only});")
        yield from (*_lines(_DROP), f"void {p}drop_rows({only});")

    def fields(self) -> Iterator[str]:
        """Of the context."""
        if self:
            yield "  uint32_t fed_rows; /* rows of the input that were fed */"

    # --- NAME.c

    def variables(self) -> Iterator[str]:
        if self and self.form.instance == "static":
            yield from (
                "",
                "/* Rows of the input that were fed. */",
                f"static uint32_t {self.form.fed_rows};",
            )

    def begin_anew(self, indent: str = "  ") -> Iterator[str]:
        """No row is fed."""
        if self:
            yield f"{indent}{self.form.fed_rows} = 0;"

    def check(self) -> Iterator[str]:
        """Ends a function that needs the whole input."""
        if self:
            yield f"  if ({self.is_waiting}) {{ return {self.missing}; }}"

    def finish_steps(self) -> Iterator[str]:
        """Of invoke: an inference that was begun in steps is ended, as its first layers' values are gone."""
        if self:
            given = "self, " if self.form.first else ""
            yield f"#ifndef {self.macro}NO_STEP"
            yield f"  if ({self.form.next_layer} != 0u) {{"
            yield f"    (void){self.prefix}step({given}UINT32_MAX);"
            yield from ("    return 0;", "  }", "#endif")

    def definitions(self) -> Iterator[str]:
        band = self.program.fed_band
        if band is None or band.fed is None:
            return
        p, only, first = self.prefix, self.form.only, self.form.first
        own, name = ("self" if first else ""), f"&{self.layers[band]}_band"
        fed, rows = self.form.fed_rows, f"{self.macro}INPUT_0_ROWS"
        arena = ["  uint8_t *const arena = self->arena;"] if first else []
        yield from ("", f"uint32_t {p}rows_left({only}) {{ return {rows} - {fed}; }}")
        yield from ("", f"void *{p}row({only}) {{", *arena, self.arenas())
        yield f"  if (!({self.is_waiting})) {{ return NULL; }}"
        yield f"  if ({fed} == 0u) {{ ts_row_band_begin({name}, arenas); }}"
        yield from (f"  return ts_row_band_place({name}, arenas, {band.fed});", "}")
        yield from ("", f"int {p}feed({first}const void *rows, uint32_t count) {{", *arena, self.arenas())
        yield "  const uint8_t *row = rows;"
        yield f"  if (count > {rows} - {fed}) {{ return {self.macro}TOO_MANY_ROWS; }}"
        yield f"  if (count > 0u && rows == NULL) {{ return {self.macro}NULL_ROWS; }}"
        yield f"  for (; count > 0u; count--, row += {self.rows.row_bytes}) {{"
        yield f"    uint8_t *const place = {p}row({own});"
        yield f"    if (row != place) {{ ts_copy_bytes(place, row, {self.rows.row_bytes}); }}"
        yield f"    ts_row_band_feed({name}, arenas, {band.fed});"
        yield from (f"    {fed}++;", "  }", "  return 0;", "}")


def _lines(text: str, **values: object) -> list[str]:
    return text.format(**values).splitlines()
