# SPDX-License-Identifier: Apache-2.0
"""Broadcasting of two inputs: the fields that ``kernels/common/broadcast.h`` walks them by."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tinyserve.compiler.graph.types import Node, Tensor
from tinyserve.compiler.ops.support import checks
from tinyserve.compiler.ops.support.base import unsupported
from tinyserve.compiler.ops.support.overlap import lead_bytes, overlaps
from tinyserve.compiler.program import Operand, Overlap, Params

MAX_RANK = 6
"""TS_BROADCAST_RANK and the row."""


def check_broadcast(node: Node, *inputs: Tensor) -> None:
    """The inputs broadcast to the output's shape, of a rank that the kernels walk."""
    output = node.output
    if max(len(tensor.shape) for tensor in (*inputs, output)) > MAX_RANK:
        raise unsupported(node, f"more than {MAX_RANK} dimensions", "reshape to fewer dimensions")
    try:
        shape = np.broadcast_shapes(*(tensor.shape for tensor in inputs))
    except ValueError:
        shapes = " and ".join(str(list(tensor.shape)) for tensor in inputs)
        raise checks.invalid(node, f"shapes {shapes} do not broadcast") from None
    checks.shape(node, output, shape, "output")


def element_strides(shape: tuple[int, ...], output_shape: tuple[int, ...]) -> list[int]:
    """Strides in elements that walk a dense tensor as if it had ``output_shape``: 0 where it is repeated."""
    strides, step = [0] * len(output_shape), 1
    for axis in range(1, len(shape) + 1):
        strides[-axis] = step if shape[-axis] > 1 else 0
        step *= shape[-axis]
    return strides


def merged(shape: tuple[int, ...], strides: list[list[int]]) -> tuple[list[int], list[list[int]]]:
    """The same walk with as few dimensions as possible: neighbours that all inputs walk in one stride are
    one.
    """
    extents: list[int] = []
    walks: list[list[int]] = [[] for _ in strides]
    for axis, extent in enumerate(shape):
        if extent == 1:
            continue
        steps = [stride[axis] for stride in strides]
        if extents and all(walk[-1] == step * extent for walk, step in zip(walks, steps, strict=True)):
            extents[-1] *= extent
            for walk, step in zip(walks, steps, strict=True):
                walk[-1] = step
        else:
            extents.append(extent)
            for walk, step in zip(walks, steps, strict=True):
                walk.append(step)
    return extents, walks


@dataclass(frozen=True)
class Broadcast(Params, c_type="ts_broadcast"):
    """How two inputs are walked, row by row."""

    rows: int
    row_length: int
    row_stride1: int
    row_stride2: int
    shape: tuple[int, ...]
    strides1: tuple[int, ...]
    strides2: tuple[int, ...]

    @classmethod
    def of(cls, input1: Tensor, input2: Tensor, output: Tensor) -> Broadcast:
        strides = [element_strides(tensor.shape, output.shape) for tensor in (input1, input2)]
        extents, (walk1, walk2) = merged(output.shape, strides)
        padding = [0] * (MAX_RANK - len(extents))
        extents = [1] * len(padding) + extents
        walk1, walk2 = padding + walk1, padding + walk2
        return cls(
            rows=int(np.prod(extents[:-1])),
            row_length=extents[-1],
            row_stride1=walk1[-1],
            row_stride2=walk2[-1],
            shape=tuple(extents[:-1]),
            strides1=tuple(walk1[:-1]),
            strides2=tuple(walk2[:-1]),
        )


def broadcast_overlaps(
    node: Node, inputs: list[Tensor], sources: list[Operand], target: Operand
) -> list[Overlap]:
    """Permissions for an elementwise operator: 0 for an input of the output's shape, more for one that is
    repeated.
    """
    output = node.output
    found: list[Overlap] = []
    for tensor, source in zip(inputs, sources, strict=True):
        order = np.arange(tensor.elements, dtype=np.int64).reshape(tensor.shape)
        reads = np.broadcast_to(order, output.shape).reshape(-1) * tensor.dtype.itemsize
        ends = np.arange(1, output.elements + 1, dtype=np.int64) * output.dtype.itemsize
        found.extend(overlaps(source, target, lead_bytes(reads, ends)))
    return found
