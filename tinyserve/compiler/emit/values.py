# SPDX-License-Identifier: Apache-2.0
"""NAME_values.h: the interface in real values and names, above the pointers of NAME.h.

Everything is ``static inline``: what a product does not call is not in its image, and what does not want
floats does not include the file. Values become integers as ``bundle.quantize`` makes them: rounded half away
from zero and saturated, so that a device gets the bytes that the checks on the computer used.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from tinyserve.compiler.emit.ctext import number
from tinyserve.compiler.emit.form import Form
from tinyserve.compiler.graph.types import DType, Tensor
from tinyserve.compiler.program import Program
from tinyserve.escapes import c_string

_MOST_CLASSES = 1000
_LIMITS = {
    DType.INT8: ("-128", "127"),
    DType.UINT8: ("0", "255"),
    DType.INT16: ("-32768", "32767"),
    DType.UINT16: ("0", "65535"),
    DType.INT32: ("INT32_MIN", "INT32_MAX"),
    DType.UINT32: ("0", "UINT32_MAX"),
    DType.INT64: ("INT64_MIN", "INT64_MAX"),
}
# Casts as C has them, for products in C++ that allow none of their own.
_C_IN_CPP = """
#if defined(__cplusplus) && defined(__GNUC__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wold-style-cast"
#ifndef __clang__
#pragma GCC diagnostic ignored "-Wuseless-cast"
#endif
#endif
"""
_C_IN_CPP_ENDS = """
#if defined(__cplusplus) && defined(__GNUC__)
#pragma GCC diagnostic pop
#endif
"""
_ROUND = """
#ifndef TS_ROUND_F32
#define TS_ROUND_F32
/* Half away from zero; what no int32_t can hold becomes its end, and what is no number its lower end. */
static inline int32_t ts_round_f32(float value) {
  const float rounded = value < 0.0f ? value - 0.5f : value + 0.5f;
  if (!(rounded > -2147483648.0f)) { return INT32_MIN; }
  if (rounded >= 2147483648.0f) { return INT32_MAX; }
  return (int32_t)rounded;
}
#endif
"""


def header(program: Program, form: Form, prefix: str, macro: str, labels: Sequence[str]) -> Iterator[str]:
    """The lines of NAME_values.h behind its banner. ``labels``: the classes, empty where they are unknown."""
    guard = f"{macro}VALUES_H"
    yield from (f"#ifndef {guard}", f"#define {guard}", "", f'#include "{program.name}.h"', "")
    yield from ("#include <stddef.h>", *_C_IN_CPP.splitlines(), *_ROUND.splitlines())
    writer = _Values(program, form, prefix, macro)
    yield from writer.extents("INPUT", program.input_tensors)
    yield from writer.extents("OUTPUT", program.output_tensors)
    yield from writer.names("input", program.input_names)
    yield from writer.names("output", program.output_names)
    yield from writer.quantizers()
    yield from writer.dequantizers()
    yield from writer.feed() if program.fed_rows is not None else writer.set_input()
    yield from writer.get_output()
    place = class_output(program, len(labels))
    if place is not None:
        yield from writer.classes(place, labels)
        if len(program.input_tensors) == 1:
            yield from writer.classify(place)
    yield from (*_C_IN_CPP_ENDS.splitlines(), "", f"#endif /* {guard} */")


def class_output(program: Program, labels: int) -> int | None:
    """Which output has the scores of classes, where that is plain: the only one with a score per label (or
    the probability of the second of two), else the only vector that is not of the only input's shape; what
    happened is not one of them."""
    if not labels and len(program.input_tensors) != 1:
        return None
    found, events = [], {source.output for source in program.events.sources}
    for index, tensor in enumerate(program.output_tensors):
        if index in events:
            continue
        vector = len(tensor.shape) == 2 and tensor.shape[0] == 1 and is_number(tensor)
        of_classes = 2 <= tensor.elements <= _MOST_CLASSES
        if labels:
            fits = tensor.elements == labels or (labels == 2 and tensor.elements == 1)
        else:
            fits = of_classes and tensor.shape != program.input_tensors[0].shape
        if vector and fits:
            found.append(index)
    return found[0] if len(found) == 1 else None


def is_number(tensor: Tensor) -> bool:
    """Whether there are functions of real values for it."""
    return tensor.dtype is DType.FLOAT32 or tensor.dtype in _LIMITS


class _Values:
    """Writes for one program; parameters as in ``header``."""

    def __init__(self, program: Program, form: Form, prefix: str, macro: str) -> None:
        self._program = program
        self._prefix = prefix
        self._macro = macro
        self._first = form.first
        self._self = "self, " if form.first else ""
        self._only = "self" if form.first else ""

    def extents(self, kind: str, tensors: Sequence[Tensor]) -> Iterator[str]:
        """Items and extents as constants that debuggers know, too."""
        for index, tensor in enumerate(tensors):
            base = f"{self._macro}{kind}_{index}_"
            yield "enum {"
            yield f"  {base}ITEMS = {tensor.elements},"
            yield from (f"  {base}DIM_{axis} = {extent}," for axis, extent in enumerate(tensor.shape))
            yield "};"

    def names(self, what: str, names: Sequence[str]) -> Iterator[str]:
        yield from ("", f"/* What the model calls this {what}; NULL: none such. */")
        yield from self._strings(f"{self._prefix}{what}_name", names)

    def _strings(self, function: str, texts: Sequence[str]) -> Iterator[str]:
        yield f"static inline const char *{function}(uint32_t index) {{"
        yield "  switch (index) {"
        yield from (f'    case {index}: return "{c_string(text)}";' for index, text in enumerate(texts))
        yield from ("    default: return NULL;", "  }", "}")

    def quantizers(self) -> Iterator[str]:
        for index, tensor in self._numbers(self._program.input_tensors):
            comment = "A real value as the input has it"
            function = f"{self._prefix}input_{index}_quantize"
            yield from self._converter(tensor, comment, function, f"{tensor.dtype.c_type}", "float value")
            yield from (*self._quantized(tensor), "}")

    def dequantizers(self) -> Iterator[str]:
        for index, tensor in self._numbers(self._program.output_tensors):
            comment = "A value of the output in real units"
            function = f"{self._prefix}output_{index}_dequantize"
            yield from self._converter(tensor, comment, function, "float", f"{tensor.dtype.c_type} value")
            yield from (*_dequantized(tensor), "}")

    def _converter(
        self, tensor: Tensor, comment: str, function: str, result: str, parameter: str
    ) -> Iterator[str]:
        """The head of a function of one value, of one feature's where these have scales of their own."""
        apart = _apart(tensor)
        yield from ("", f"/* {comment}{'; feature: its place on the last axis' if apart else ''}. */")
        feature = "uint32_t feature, " if apart else ""
        yield f"static inline {result} {function}({feature}{parameter}) {{"
        if apart and tensor.quantization is not None:
            scales = ", ".join(_float(scale) for scale in tensor.quantization.scales)
            points = ", ".join(number(int(point)) for point in tensor.quantization.zero_points)
            yield f"  static const float scales[] = {{{scales}}};"
            yield f"  static const int32_t zero_points[] = {{{points}}};"

    def _quantized(self, tensor: Tensor) -> Iterator[str]:
        if tensor.dtype is DType.FLOAT32:
            yield "  return value;"
            return
        scale, point = _affine(tensor)
        low, high = _LIMITS[tensor.dtype]
        scaled = "value" if tensor.quantization is None else f"value / {scale}"
        yield f"  const int64_t whole = (int64_t)ts_round_f32({scaled}) + {point};"
        if tensor.dtype is not DType.INT64:
            yield f"  if (whole < {low}) {{ return {low}; }}"
            yield f"  if (whole > {high}) {{ return {high}; }}"
        yield f"  return ({tensor.dtype.c_type})whole;"

    def set_input(self) -> Iterator[str]:
        yield from (
            "",
            "/* Writes a whole input from real values, in the order of its shape. Returns 0, or 1",
            "   where there is no such input of numbers. */",
        )
        p, head = self._prefix, f"set_input_f32({self._first}uint32_t index, const float *values)"
        yield from self._each(head, self._program.input_tensors, lambda index, kind, place: (
            f"{kind} *to = ({kind} *){p}input({self._self}{index}u);",
            f"to[i] = {p}input_{index}_quantize({place}values[i]);",
        ))  # fmt: skip

    def feed(self) -> Iterator[str]:
        """Rows of real values, each written where the model wants it."""
        tensor, rows = self._program.input_tensors[0], self._program.fed_rows
        if rows is None or not is_number(tensor):
            return
        p, kind, count = self._prefix, tensor.dtype.c_type, rows.row_bytes // tensor.dtype.itemsize
        yield from (
            "",
            f"/* Feeds the next `count` rows of {count} real values each. Returns what {p}feed does. */",
        )
        yield f"static inline int {p}feed_f32({self._first}const float *values, uint32_t count) {{"
        yield f"  if (count > {p}rows_left({self._only})) {{ return {self._macro}TOO_MANY_ROWS; }}"
        yield f"  if (count > 0u && values == NULL) {{ return {self._macro}NULL_ROWS; }}"
        yield f"  for (; count > 0u; count--, values += {count}) {{"
        yield f"    {kind} *to = ({kind} *){p}row({self._only});"
        yield f"    for (uint32_t i = 0; i < {count}u; i++) {{"
        yield f"      to[i] = {p}input_0_quantize({_feature(tensor)}values[i]);"
        yield from ("    }", f"    (void){p}feed({self._self}to, 1u);", "  }", "  return 0;", "}")

    def get_output(self) -> Iterator[str]:
        yield from (
            "",
            "/* Reads a whole output in real units. Returns 0, or 1 where there is no such output of",
            "   numbers. */",
        )
        p, head = self._prefix, f"get_output_f32({self._first}uint32_t index, float *values)"
        yield from self._each(head, self._program.output_tensors, lambda index, kind, place: (
            f"const {kind} *from = (const {kind} *){p}output({self._self}{index}u);",
            f"values[i] = {p}output_{index}_dequantize({place}from[i]);",
        ))  # fmt: skip

    def _each(
        self, head: str, tensors: Sequence[Tensor], body: Callable[[int, str, str], tuple[str, str]]
    ) -> Iterator[str]:
        """A function that goes over the elements of the tensor of an index: ``body`` has the declaration and
        the step of (index, C type, arguments that name a feature)."""
        yield f"static inline int {self._prefix}{head} {{"
        yield from ("  (void)values;", *self._unused_self(), "  switch (index) {")
        for index, tensor in self._numbers(tensors):
            declaration, step = body(index, tensor.dtype.c_type, _feature(tensor))
            yield from (f"    case {index}: {{", f"      {declaration}")
            yield f"      for (uint32_t i = 0; i < {tensor.elements}u; i++) {{"
            yield from (f"        {step}", "      }", "      return 0;", "    }")
        yield from ("    default: return 1;", "  }", "}")

    def classes(self, place: int, labels: Sequence[str]) -> Iterator[str]:
        """How many, and their names. One value is the probability of the second of two classes."""
        p, count = self._prefix, max(2, self._program.output_tensors[place].elements)
        names = list(labels) or [str(index) for index in range(count)]
        yield from ("", f"enum {{ {self._macro}CLASS_COUNT = {count} }};")
        known = "The name of a class" if labels else "A class has its number as its name: the model has none"
        yield from ("", f"/* {known}; NULL: none such. */")
        yield from self._strings(f"{p}class_name", names)

    def classify(self, place: int) -> Iterator[str]:
        """``NAME_classify``."""
        p, output = self._prefix, self._program.output_tensors[place]
        yield from ("", "typedef struct {", "  uint32_t index;   /* of the class */")
        yield from (
            "  float score;      /* as the model gives it */",
            "  const char *name; /* of the class */",
        )
        yield from (f"}} {p}result;", "")
        if self._program.fed_rows is None:
            yield "/* Sets the input from real values, runs the model, and finds the class with the largest"
            yield "   score (the first of several). Returns 0 on success. */"
            yield f"static inline int {p}classify({self._first}const float *input, {p}result *result) {{"
            yield f"  if ({p}set_input_f32({self._self}0u, input) != 0) {{ return 1; }}"
        else:
            yield "/* After the last row: runs the rest of the model, and finds the class with the largest"
            yield "   score (the first of several). Returns 0 on success, 1 if rows are missing. */"
            yield f"static inline int {p}classify({self._first}{p}result *result) {{"
        yield f"  if ({p}invoke({self._only}) != 0) {{ return 1; }}"
        kind = output.dtype.c_type
        yield f"  const {kind} *scores = (const {kind} *){p}output({self._self}{place}u);"
        yield from self._best(place, output)
        yield f"  result->name = {p}class_name(result->index);"
        yield from ("  return 0;", "}")

    def _best(self, place: int, output: Tensor) -> Iterator[str]:
        real = f"{self._prefix}output_{place}_dequantize({_feature(output, 'result->index')}"
        if output.elements == 1:
            first = "0u, " if _apart(output) else ""
            yield f"  const float second = {self._prefix}output_{place}_dequantize({first}scores[0]);"
            yield "  result->index = second > 0.5f ? 1u : 0u;"
            yield "  result->score = second > 0.5f ? second : 1.0f - second;"
            return
        yield "  result->index = 0u;"
        yield f"  for (uint32_t i = 1; i < {output.elements}u; i++) {{"
        yield "    if (scores[i] > scores[result->index]) { result->index = i; }"
        yield "  }"
        yield f"  result->score = {real}scores[result->index]);"

    def _unused_self(self) -> Iterator[str]:
        if self._self:
            yield "  (void)self;"

    @staticmethod
    def _numbers(tensors: Sequence[Tensor]) -> Iterator[tuple[int, Tensor]]:
        return ((index, tensor) for index, tensor in enumerate(tensors) if is_number(tensor))


def _apart(tensor: Tensor) -> bool:
    """Whether features have scales of their own."""
    return tensor.quantization is not None and tensor.quantization.per_channel


def _feature(tensor: Tensor, item: str = "i") -> str:
    """The argument that says which feature an item is, before others."""
    return f"{item} % {tensor.shape[-1]}u, " if _apart(tensor) else ""


def _affine(tensor: Tensor) -> tuple[str, str]:
    """Scale and zero point as expressions."""
    if _apart(tensor):
        return "scales[feature]", "zero_points[feature]"
    scale = tensor.quantization.scale if tensor.quantization is not None else 1.0
    return _float(scale), number(tensor.zero_point)


def _dequantized(tensor: Tensor) -> Iterator[str]:
    if tensor.dtype is DType.FLOAT32:
        yield "  return value;"
    elif tensor.quantization is None:
        yield "  return (float)value;"
    else:
        scale, point = _affine(tensor)
        wide = "int64_t" if tensor.dtype.itemsize >= 4 else "int32_t"
        yield f"  return (float)(({wide})value - {point}) * {scale};"


def _float(value: float) -> str:
    """A literal of type float, also where the file's scale has no such value."""
    text = number(value)
    return text if text.endswith("f") else f"{text}f"
