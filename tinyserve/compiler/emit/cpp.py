# SPDX-License-Identifier: Apache-2.0
"""NAME.hpp: the C interface as a C++ class, for products that are written in C++. Header only, C++11, without
exceptions, heap or anything of the standard library but its types."""

from __future__ import annotations

import re
from collections.abc import Iterator

from tinyserve.compiler.emit.form import Form
from tinyserve.compiler.graph.types import Tensor
from tinyserve.compiler.program import Program, RowWindow

_SPAN = """
#ifndef TINYSERVE_SPAN_HPP
#define TINYSERVE_SPAN_HPP
namespace tinyserve {
/* A view of an input or an output, as std::span of C++20: a pointer and a number of elements. */
template <typename Element> class span {
public:
  constexpr span(Element *data, std::size_t size) noexcept : data_(data), size_(size) {}
  constexpr Element *data() const noexcept { return data_; }
  constexpr std::size_t size() const noexcept { return size_; }
  constexpr std::size_t size_bytes() const noexcept { return size_ * sizeof(Element); }
  constexpr bool empty() const noexcept { return size_ == 0; }
  constexpr Element &operator[](std::size_t index) const noexcept { return data_[index]; }
  constexpr Element *begin() const noexcept { return data_; }
  constexpr Element *end() const noexcept { return data_ + size_; }

private:
  Element *data_;
  std::size_t size_;
};
} // namespace tinyserve
#endif
"""


_MEMBERS = frozenset(
    {
        "input",
        "output",
        "feed",
        "row",
        "rows_left",
        "drop_rows",
        "invoke",
        "step",
        "reset",
        "ready",
        "context",
        "arena_bytes",
        "arena_alignment",
    }
) | {"on_event"}
_TAKEN = _MEMBERS | {"span", "tinyserve", "linux", "unix"}
_NUMBERED = re.compile(r"(input|output)_\d+")
"""What the class cannot be called: members, names of its namespace, and macros that GNU compilers define."""


def class_name(name: str) -> str:
    """What a model's class is called: as the model, or with ``_model`` behind it where that is taken."""
    return f"{name}_model" if name in _TAKEN or _NUMBERED.fullmatch(name) else name


def wrapper(program: Program, form: Form, prefix: str, macro: str) -> Iterator[str]:
    """The lines of NAME.hpp behind its banner."""
    name, guard = program.name, f"{macro}HPP"
    own = "&self_" if form.instance == "caller" else ""
    first = f"{own}, " if own else ""
    yield from (f"#ifndef {guard}", f"#define {guard}", "", f'#include "{name}.h"', "")
    yield from ("#include <cstddef>", "#include <cstdint>", *_SPAN.splitlines(), "")
    yield from ("namespace tinyserve {", "")
    yield from _construction(class_name(name), prefix, bool(own))
    yield f"  static constexpr std::size_t arena_bytes() noexcept {{ return {macro}ARENA_BYTES; }}"
    yield f"  static constexpr std::size_t arena_alignment() noexcept {{ return {macro}ARENA_ALIGNMENT; }}"
    if program.fed_rows is not None:
        yield from _feed(program.input_tensors[0], program.fed_rows, prefix, own, first)
        yield "  /* Completes the inference after the last row. False if rows are missing. */"
    else:
        yield from _views(program.input_tensors, "input", f"{prefix}input({first}", "")
        yield "  /* Runs the model once. Whether it could. */"
    yield f"  bool invoke() noexcept {{ return {prefix}invoke({own}) == 0; }}"
    yield f"#ifndef {macro}NO_STEP"
    if program.fed_rows is not None:
        yield "  /* Runs at most that many layers. 1: the inference is done; 0: more to do; negative:"
        yield "     rows are missing. */"
        yield f"  int step(std::uint32_t layers) noexcept {{ return {prefix}step({first}layers); }}"
    else:
        yield "  /* Runs at most that many layers. Whether the inference is done. */"
        yield f"  bool step(std::uint32_t layers) noexcept {{ return {prefix}step({first}layers) != 0; }}"
    yield "#endif"
    yield from _views(program.output_tensors, "output", f"{prefix}output({first}", "const ")
    yield "  /* What the model remembers between inferences, back to its initial values. */"
    yield f"  void reset() noexcept {{ {prefix}reset({own}); }}"
    if program.events.sources:
        yield "  /* What invoke and step call when something happened; nullptr: nothing. */"
        yield "  void on_event(ts_event_callback callback) noexcept {"
        yield f"    {prefix}on_event({first}callback);"
        yield "  }"
    if own:
        yield from ("", "private:", f"  {prefix.rstrip('_')} self_;", "  bool ready_;")
    yield from ("};", "", "} // namespace tinyserve", "", f"#endif /* {guard} */")


def _construction(name: str, prefix: str, caller: bool) -> Iterator[str]:
    yield from (f"class {name} {{", "public:")
    if caller:
        yield "  /* In arena_bytes() bytes that start at a multiple of arena_alignment() and outlive the"
        yield "     object. */"
        yield f"  explicit {name}(void *arena) noexcept"
        yield f"      : self_(), ready_({prefix}init(&self_, arena) == 0) {{}}"
        yield "  /* Whether the arena was one to work in. */"
        yield "  bool ready() const noexcept { return ready_; }"
        yield f"  /* For the functions of C that take one, as those of {prefix[3:]}values.h. */"
        yield f"  {prefix.rstrip('_')} *context() noexcept {{ return &self_; }}"
    else:
        yield "  /* The model is one of its kind: a second object would be the same one. */"
        yield f"  {name}() noexcept {{ {prefix}init(); }}"
    yield f"  {name}(const {name} &) = delete;"
    yield f"  {name} &operator=(const {name} &) = delete;"


def _feed(tensor: Tensor, rows: RowWindow, prefix: str, own: str, first: str) -> Iterator[str]:
    """The functions that take the input row by row."""
    kind, count = tensor.dtype.c_type, rows.row_bytes // tensor.dtype.itemsize
    yield f"  /* The next rows of the input, of {count} values each. False if fewer are missing. */"
    yield f"  bool feed(const {kind} *rows, std::uint32_t count) noexcept {{"
    yield from (f"    return {prefix}feed({first}rows, count) == 0;", "  }")
    yield "  /* Where to write the next row in place, for feed(row().data(), 1). Empty if none is missing. */"
    yield f"  span<{kind}> row() noexcept {{"
    yield f"    {kind} *const place = static_cast<{kind} *>({prefix}row({own}));"
    yield f"    return span<{kind}>(place, place != nullptr ? {count} : 0);"
    yield "  }"
    yield f"  std::uint32_t rows_left() noexcept {{ return {prefix}rows_left({own}); }}"
    yield f"  void drop_rows() noexcept {{ {prefix}drop_rows({own}); }}"


def _views(tensors: list[Tensor], what: str, call: str, const: str) -> Iterator[str]:
    """One function per input (output): of its type and size."""
    for index, tensor in enumerate(tensors):
        function = what if len(tensors) == 1 else f"{what}_{index}"
        kind = f"{const}{tensor.dtype.c_type}"
        count = tensor.nbytes // tensor.dtype.itemsize
        yield f"  span<{kind}> {function}() noexcept {{"
        yield f"    return span<{kind}>(static_cast<{kind} *>({call}{index})), {count});"
        yield "  }"
