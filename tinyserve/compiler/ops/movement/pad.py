# SPDX-License-Identifier: Apache-2.0
"""PAD and PADV2: the input surrounded by zeros (the zero point) or by a given value. Kernels in
``kernels/pad.h``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from tinyserve.compiler.graph.rows import COLUMNS, ROWS, RowRule, Slab, has_rows, is_line
from tinyserve.compiler.graph.types import DType, Node, Options, Tensor
from tinyserve.compiler.ops.elementwise.add import SUFFIX
from tinyserve.compiler.ops.support import checks
from tinyserve.compiler.ops.support.base import Lowering, OpDef, unsupported
from tinyserve.compiler.ops.support.calls import add_call
from tinyserve.compiler.ops.support.overlap import NOTHING_READ, lead_bytes, overlaps
from tinyserve.compiler.program import Params

_RANK = 6  # TS_PAD_RANK
_LIMIT = 1 << 24


@dataclass(frozen=True)
class PadAttributes:
    """``rows``: padding above and below, along ``axis``, where the operator is on some rows."""

    rows: tuple[int, int] | None = None
    axis: int = 1


@dataclass(frozen=True)
class _Borders(Params):
    shape: tuple[int, ...]
    before: tuple[int, ...]
    after: tuple[int, ...]


@dataclass(frozen=True)
class PadParams(Params, c_type="ts_pad_params"):
    borders: _Borders
    value: int


@dataclass(frozen=True)
class PadF32Params(Params, c_type="ts_pad_f32_params"):
    borders: _Borders
    value: float


class Pad(OpDef):
    """``paddings`` are [rank][2] numbers of elements before and after; PADV2 has the value, too."""

    name = "PAD"
    inputs = ("input", "paddings", "value?")
    types = SUFFIX
    limits = "up to 6 dimensions; constant paddings"

    def attributes(self, options: Options) -> Any:
        return PadAttributes()

    def rows(self, node: Node) -> RowRule | None:
        """Of one image that stays one, with a value that is known."""
        value = node.optional("value")
        if not has_rows(node.input("input")) or (value is not None and not value.is_constant):
            return None
        before, after = paddings(node)
        return RowRule(pad=before[_axis(node)], fills=True) if before[0] == after[0] == 0 else None

    def slab_attributes(self, node: Node, slab: Slab) -> PadAttributes:
        return PadAttributes((slab.above, slab.below), _axis(node))

    def check(self, node: Node) -> None:
        input, table, output = node.input("input"), node.input("paddings"), node.output
        checks.dtype(node, input, SUFFIX, "input")
        checks.same_dtype(node, input, output)
        checks.constant(node, table, "the table of paddings")
        checks.dtype(node, table, (DType.INT32, DType.INT64), "the table of paddings")
        checks.elements(node, table, 2 * len(input.shape), "the table of paddings")
        if len(input.shape) > _RANK:
            raise unsupported(node, f"more than {_RANK} dimensions", "reshape to fewer dimensions")
        before, after = paddings(node)
        if any(not 0 <= amount <= _LIMIT for amount in (*before, *after)):
            raise checks.invalid(node, f"paddings {before} and {after}")
        sizes = zip(before, input.shape, after, strict=True)
        checks.shape(node, output, tuple(sum(parts) for parts in sizes), "output")
        value = node.optional("value")
        if input.dtype is DType.INT8 and checks.has_scale(output):
            checks.per_tensor(node, output)
        if value is not None:
            checks.elements(node, value, 1, "the padding value")
            checks.same_dtype(node, input, value)

    def lower(self, node: Node, lowering: Lowering) -> None:
        input, output = node.input("input"), node.output
        before, after = paddings(node)
        rows = _merged(input.shape, before, after)
        source, target = lowering.operand(input), lowering.buffer(output)
        kind, value = SUFFIX[input.dtype], node.optional("value")
        computed = [value] if value is not None and not value.is_constant else []
        params: Params
        words = None if computed else _in_words(rows, input.dtype.itemsize)
        if kind == "f32":
            params = PadF32Params(_borders(rows), float(pad_value(node)))
        elif words is not None:
            params, kind = PadParams(_borders(words), _repeated(pad_value(node), input.dtype)), "s32"
        else:
            params = PadParams(_borders(rows), int(pad_value(node)))
        add_call(
            node,
            lowering,
            f"ts_pad_{kind}_with" if computed else f"ts_pad_{kind}",
            "pad.h",
            params=params,
            inputs=[source, *(lowering.operand(tensor) for tensor in computed)],
            outputs=[target],
            overlaps=overlaps(source, target, _lead(input, output, before, after)),
        )


class PadV2(Pad):
    name = "PADV2"


def _axis(node: Node) -> int:
    return COLUMNS if is_line(node) else ROWS


def paddings(node: Node) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Elements before and after, per dimension."""
    data = np.asarray(node.input("paddings").data).reshape(-1, 2)
    if isinstance(node.attributes, PadAttributes) and node.attributes.rows is not None:
        data = data.copy()
        data[node.attributes.axis] = node.attributes.rows
    return tuple(int(row[0]) for row in data), tuple(int(row[1]) for row in data)


def pad_value(node: Node) -> int | float:
    """What the padding is filled with: TFLM pads int8 with the output's zero point, other types with 0.

    Of no meaning where PADV2's value is computed at run time.
    """
    given, output = node.optional("value"), node.output
    if given is not None and given.data is not None:
        value = np.asarray(given.data).reshape(-1)[0]
        return float(value) if output.dtype is DType.FLOAT32 else int(value)
    if output.dtype is DType.FLOAT32:
        return 0.0
    return output.zero_point if output.dtype is DType.INT8 else 0


_Row = tuple[int, int, int]
"""Extent, elements before, elements after, of a dimension."""


def _merged(shape: tuple[int, ...], before: tuple[int, ...], after: tuple[int, ...]) -> list[_Row]:
    """The kernel's dimensions: one without padding is one with the dimension before it."""
    rows: list[_Row] = []
    for extent, low, high in zip(shape, before, after, strict=True):
        if rows and low == high == 0:
            rows[-1] = (rows[-1][0] * extent, rows[-1][1] * extent, rows[-1][2] * extent)
        else:
            rows.append((extent, low, high))
    return [(1, 0, 0)] * (_RANK - len(rows)) + rows


def _in_words(rows: list[_Row], size: int) -> list[_Row] | None:
    """The dimensions where elements are words of 4 bytes; None where rows are no whole number of them."""
    extent, low, high = (value * size for value in rows[-1])
    if extent % 4 or low % 4 or high % 4:
        return None
    return [*rows[:-1], (extent // 4, low // 4, high // 4)]


def _repeated(value: int | float, dtype: DType) -> int:
    """A word of the value's bits, over and over."""
    bits = np.full(4 // dtype.itemsize, value).astype(dtype.numpy)
    return int(bits.view(np.int32)[0])


def _borders(rows: list[_Row]) -> _Borders:
    shape, before, after = zip(*rows, strict=True)
    return _Borders(shape, before, after)


def _lead(input: Tensor, output: Tensor, before: tuple[int, ...], after: tuple[int, ...]) -> int:
    order = np.arange(input.elements, dtype=np.int64).reshape(input.shape) * input.dtype.itemsize
    pads = list(zip(before, after, strict=True))
    reads = np.pad(order, pads, constant_values=NOTHING_READ) if pads else order
    ends = np.arange(1, output.elements + 1, dtype=np.int64) * output.dtype.itemsize
    return lead_bytes(reads.reshape(-1), ends)


OPS = (Pad(), PadV2())
