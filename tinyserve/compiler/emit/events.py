# SPDX-License-Identifier: Apache-2.0
"""Events in C: the type that all models share, ``ts_NAME_on_event``, and the end of an inference."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from tinyserve.compiler.emit.form import Form
from tinyserve.compiler.emit.kernel_files import kernel_text
from tinyserve.compiler.program import Operand, Program

_TYPES = "common/event.h"
"""Written into each header, so that one header is all that a product includes."""


@dataclass(frozen=True)
class EventsText:
    """Writes what a program with events has beside the others. ``argument``: an operand's address, as an
    expression of the form's arena."""

    program: Program
    form: Form
    prefix: str
    macro: str
    argument: Callable[[Operand], str]

    def __bool__(self) -> bool:
        return bool(self.program.events.sources)

    def macros(self) -> Iterator[str]:
        """For NAME.h: how many there are, and the number of each."""
        if self:
            sources = self.program.events.sources
            yield from ("", f"#define {self.macro}EVENT_COUNT {len(sources)}")
            for number, source in enumerate(sources):
                yield f"#define {self.macro}EVENT_{source.name.upper()} {number}"
            yield f"#define {self.macro}SAMPLES_PER_INFERENCE {self.program.events.samples}"

    def types(self) -> Iterator[str]:
        """For NAME.h, in front of the context."""
        if self:
            yield from ("", *kernel_text(_TYPES).splitlines()[1:], "")

    def fields(self) -> Iterator[str]:
        """Of the context."""
        if self:
            yield "  ts_event_callback callback;"
            yield "  uint32_t inference;"
            yield "  uint64_t sample;"

    def declaration(self) -> Iterator[str]:
        if self:
            yield "/* What invoke and step call when something happened, at the end; NULL: nothing. */"
            yield f"void {self.prefix}on_event({self.form.first}ts_event_callback callback);"

    def variables(self) -> Iterator[str]:
        """For NAME.c, where the context is static."""
        if self and self.form.instance == "static":
            yield ""
            yield f"static ts_event_callback {self.prefix}callback;"
            yield f"static uint32_t {self.prefix}inference;"
            yield f"static uint64_t {self.prefix}sample;"

    def definitions(self) -> Iterator[str]:
        """For NAME.c, in front of invoke."""
        if not self:
            return
        yield from ("", f"void {self.prefix}on_event({self.form.first}ts_event_callback callback) {{")
        yield from (f"  {self._own('callback')} = callback;", "}", "")
        yield "/* An inference has ended: counts it, and calls back for each event in it. */"
        yield f"static void end_of_inference({self.form.first}int report) {{"
        yield from self._body()
        yield "}"

    def begin_anew(self) -> Iterator[str]:
        """Of reset."""
        if self:
            yield from (f"  {self._own('inference')} = 0;", f"  {self._own('sample')} = 0;")

    def end(self, report: bool, indent: str = "  ") -> Iterator[str]:
        """Where an inference ends. Without ``report`` outputs are those of the last whole one."""
        if self:
            yield f"{indent}end_of_inference({'self, ' if self.form.first else ''}{int(report)});"

    def clear(self) -> Iterator[str]:
        """Of init, where the context is the caller's and may hold anything."""
        if self and self.form.instance == "caller":
            yield f"  {self._own('callback')} = NULL;"

    def _body(self) -> Iterator[str]:
        callback, inference, sample = (self._own(name) for name in ("callback", "inference", "sample"))
        yield f"  {sample} += {self.macro}SAMPLES_PER_INFERENCE;"
        yield f"  if (report != 0 && {callback} != NULL) {{"
        if self.form.instance == "caller":
            yield "    uint8_t *const arena = self->arena;"
        model = "self" if self.form.instance == "caller" else "NULL"
        for source in self.program.events.sources:
            place = self.argument(self.program.outputs[source.output])
            number = f"{self.macro}EVENT_{source.name.upper()}"
            first, count = (source.payload[0] if source.payload else 0), len(source.payload)
            yield "    {"
            yield f"      const int32_t happened = *(const int32_t *){place};"
            fields = f'{model}, "{source.name}", {number}, happened, {inference}, {sample}, {first}, {count}'
            yield f"      const ts_event event = {{{fields}}};"
            yield f"      if (happened >= 0) {{ {callback}(&event); }}"
            yield "    }"
        yield from ("  }", f"  {inference}++;")

    def _own(self, name: str) -> str:
        return f"self->{name}" if self.form.instance == "caller" else f"{self.prefix}{name}"
