"""Copies between two walks over memory: what slices, transpositions and concatenations lower to.

Kernels in ``kernels/strided_copy.h``. No operator by itself.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tinyserve.compiler.graph.types import DType, Operator, Tensor
from tinyserve.compiler.ops.support.base import Lowering
from tinyserve.compiler.ops.support.broadcast import MAX_RANK, merged
from tinyserve.compiler.ops.support.calls import add_call
from tinyserve.compiler.ops.support.overlap import lead_bytes, overlaps
from tinyserve.compiler.program import ParamValue

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
    op: Operator,
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
    padding = [0] * (MAX_RANK - len(extents))
    extents = [1] * len(padding) + extents
    from_strides, to_strides = padding + from_strides, padding + to_strides
    params: dict[str, ParamValue] = {
        "rows": int(np.prod(extents[:-1], dtype=np.int64)),
        "row_length": extents[-1],
        "shape": tuple(extents[:-1]),
        "input_start": source.start,
        "input_row_stride": from_strides[-1],
        "input_strides": tuple(from_strides[:-1]),
        "output_start": target.start,
        "output_row_stride": to_strides[-1],
        "output_strides": tuple(to_strides[:-1]),
    }
    whole = target == dense(shape) and shape_elements(shape) == output.elements
    size = input.dtype.itemsize
    reads = positions(shape, source) * size
    ends = np.arange(1, len(reads) + 1, dtype=np.int64) * size
    add_call(
        op,
        lowering,
        f"ts_strided_copy_{SUFFIX[input.dtype]}",
        "strided_copy.h",
        params=params,
        inputs=[from_operand],
        outputs=[to_buffer],
        params_type="ts_strided_copy_params",
        overlaps=overlaps(from_operand, to_buffer, lead_bytes(reads, ends)) if whole else [],
    )


def positions(shape: tuple[int, ...], walk: Walk) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """The element that each step of the walk touches."""
    found = np.full(1, walk.start, dtype=np.int64)
    for extent, stride in zip(shape, walk.strides, strict=True):
        found = (found[:, None] + np.arange(extent, dtype=np.int64) * stride).reshape(-1)
    return found


def shape_elements(shape: tuple[int, ...]) -> int:
    """Product of the extents."""
    return int(np.prod(shape, dtype=np.int64))
