# SPDX-License-Identifier: Apache-2.0
"""TILE: the input over and over along each axis, as one strided copy that reads values again."""

from __future__ import annotations

from tinyserve.compiler.graph.types import Node
from tinyserve.compiler.ops.movement.slice import integers
from tinyserve.compiler.ops.support import checks
from tinyserve.compiler.ops.support.base import Lowering, OpDef, unsupported
from tinyserve.compiler.ops.support.broadcast import MAX_RANK, merged
from tinyserve.compiler.ops.support.strided_copy import SUFFIX, Walk, add_copy, dense, dense_strides


class Tile(OpDef):
    """``multiples`` says how often, per axis. TFLM lacks the operator: LiteRT says what it gives."""

    name = "TILE"
    inputs = ("input", "multiples")
    types = SUFFIX
    limits = "constant multiples; axes and repetitions that differ are up to 6"

    def check(self, node: Node) -> None:
        input, output = node.input("input"), node.output
        checks.dtype(node, input, SUFFIX, "input")
        checks.same_dtype(node, input, output)
        multiples = integers(node, "multiples", "the multiples", len(input.shape))
        expected = tuple(extent * times for extent, times in zip(input.shape, multiples, strict=True))
        if any(times < 1 for times in multiples):
            raise checks.invalid(node, f"multiples {list(multiples)}")
        checks.shape(node, output, expected, "output")
        shape, source = _walk(node)
        if len(merged(shape, [list(source.strides), list(dense_strides(shape))])[0]) > MAX_RANK:
            raise unsupported(node, "repetitions along too many axes", "repeat along fewer axes at a time")

    def lower(self, node: Node, lowering: Lowering) -> None:
        shape, source = _walk(node)
        input, output = node.input("input"), node.output
        add_copy(node, lowering, input, output, shape=shape, source=source, target=dense(shape))


def _walk(node: Node) -> tuple[tuple[int, ...], Walk]:
    """The output with an axis of repetitions before each axis, along which the input does not move."""
    input = node.input("input")
    multiples = integers(node, "multiples", "the multiples", len(input.shape))
    shape: list[int] = []
    strides: list[int] = []
    for times, extent, stride in zip(multiples, input.shape, dense_strides(input.shape), strict=True):
        shape += [times, extent]
        strides += [0, stride]
    return tuple(shape), Walk(0, tuple(strides))


OPS = (Tile(),)
