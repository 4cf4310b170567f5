# SPDX-License-Identifier: Apache-2.0
"""Copies between two walks over memory: what slices, transpositions and concatenations lower to.

Kernels in ``kernels/strided_copy.h``. No operator by itself.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tinyserve.compiler.graph.types import DType, Node, Tensor
from tinyserve.compiler.ops.support.base import Lowering
from tinyserve.compiler.ops.support.broadcast import MAX_RANK, merged
from tinyserve.compiler.ops.support.calls import add_call
from tinyserve.compiler.ops.support.overlap import lead_bytes, overlaps
from tinyserve.compiler.program import Params

SUFFIX = {
    DType.INT8: "s8", DType.UINT8: "s8", DType.BOOL: "s8", DType.INT16: "s16", DType.UINT16: "s16",
    DType.INT32: "s32", DType.UINT32: "s32", DType.INT64: "s64", DType.FLOAT32: "f32",
}  # fmt: skip
"""The types that can be copied, by the kernel that does it."""


@dataclass(frozen=True)
class Walk:
    """A block of elements in memory: its origin and its strides, in elements."""

    start: int
    strides: tuple[int, ...]


def dense_strides(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Strides of a tensor whose last dimension is contiguous."""
    strides, step = [0] * len(shape), 1
    for axis in range(len(shape) - 1, -1, -1):
        strides[axis] = step
        step *= shape[axis]
    return tuple(strides)


def dense(shape: tuple[int, ...]) -> Walk:
    """The walk over a whole tensor."""
    return Walk(0, dense_strides(shape))


def add_copy(
    node: Node,
    lowering: Lowering,
    input: Tensor,
    output: Tensor,
    *,
    shape: tuple[int, ...],
    source: Walk,
    target: Walk,
) -> None:
    """Copies a block of ``shape`` from ``source`` in ``input`` to ``target`` in ``output``."""
    from_operand, to_buffer = lowering.operand(input), lowering.buffer(output)
    extents, (from_strides, to_strides) = merged(shape, [list(source.strides), list(target.strides)])
    walk = _Runs(extents, from_strides, to_strides, source.start, target.start)
    function, walk = _kernel(walk, input.dtype)
    whole = target == dense(shape) and shape_elements(shape) == output.elements
    size = input.dtype.itemsize
    reads = positions(shape, source) * size
    ends = np.arange(1, len(reads) + 1, dtype=np.int64) * size
    add_call(
        node,
        lowering,
        function,
        "strided_copy.h",
        params=walk.params(),
        inputs=[from_operand],
        outputs=[to_buffer],
        overlaps=overlaps(from_operand, to_buffer, lead_bytes(reads, ends)) if whole else [],
    )


@dataclass(frozen=True)
class StridedCopyParams(Params, c_type="ts_strided_copy_params"):
    """A block of rows at both ends: starts and strides in units of the kernel."""

    rows: int
    row_length: int
    shape: tuple[int, ...]
    input_start: int
    input_row_stride: int
    input_strides: tuple[int, ...]
    output_start: int
    output_row_stride: int
    output_strides: tuple[int, ...]


@dataclass(frozen=True)
class _Runs:
    """Extents (the last is that of a row) and both ends' strides and starts, in elements."""

    extents: list[int]
    from_strides: list[int]
    to_strides: list[int]
    from_start: int
    to_start: int

    @property
    def contiguous(self) -> bool:
        """Whether a row lies in one piece at both ends."""
        return not self.extents or self.from_strides[-1] == self.to_strides[-1] == 1

    def in_units(self, size: int, unit: int) -> _Runs | None:
        """The same walk over units of ``unit`` bytes where elements of ``size`` are contiguous; None where
        something is no whole number of them."""

        def scaled(values: list[int]) -> list[int]:
            return [value * size for value in values]

        extents = [*self.extents[:-1], *scaled(self.extents[-1:] or [1])]
        strides = [scaled(walk[:-1]) for walk in (self.from_strides, self.to_strides)]
        starts = scaled([self.from_start, self.to_start])
        if any(value % unit for value in (extents[-1], *strides[0], *strides[1], *starts)):
            return None
        extents[-1] //= unit
        walks = [[value // unit for value in walk] + [1] for walk in strides]
        return _Runs(extents, walks[0], walks[1], starts[0] // unit, starts[1] // unit)

    def params(self) -> StridedCopyParams:
        padding = [0] * (MAX_RANK - len(self.extents))
        extents = [1] * len(padding) + self.extents
        from_strides, to_strides = padding + self.from_strides, padding + self.to_strides
        return StridedCopyParams(
            rows=int(np.prod(extents[:-1], dtype=np.int64)),
            row_length=extents[-1],
            shape=tuple(extents[:-1]),
            input_start=self.from_start,
            input_row_stride=from_strides[-1],
            input_strides=tuple(from_strides[:-1]),
            output_start=self.to_start,
            output_row_stride=to_strides[-1],
            output_strides=tuple(to_strides[:-1]),
        )


def _kernel(walk: _Runs, dtype: DType) -> tuple[str, _Runs]:
    """The kernel and the walk in its units: words or bytes of contiguous rows, else elements."""
    if walk.contiguous:
        for unit, name in ((4, "words"), (1, "bytes")):
            found = walk.in_units(dtype.itemsize, unit)
            if found is not None:
                return f"ts_strided_copy_runs_of_{name}", found
    return f"ts_strided_copy_{SUFFIX[dtype]}", walk


def positions(shape: tuple[int, ...], walk: Walk) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """The element that each step of the walk touches."""
    found = np.full(1, walk.start, dtype=np.int64)
    for extent, stride in zip(shape, walk.strides, strict=True):
        found = (found[:, None] + np.arange(extent, dtype=np.int64) * stride).reshape(-1)
    return found


def shape_elements(shape: tuple[int, ...]) -> int:
    """Product of the extents."""
    return int(np.prod(shape, dtype=np.int64))
