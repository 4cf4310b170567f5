# SPDX-License-Identifier: Apache-2.0
"""RESHAPE, SQUEEZE and EXPAND_DIMS: the same bytes under another shape. No kernel."""

from __future__ import annotations

from tinyserve.compiler.graph.types import Node
from tinyserve.compiler.ops.support import checks
from tinyserve.compiler.ops.support.base import Lowering, OpDef


class Reshape(OpDef):
    """The output tensor carries the new shape; the input that may hold it, too, is not read."""

    name = "RESHAPE"
    inputs = ("input", "shape?")
    limits = "static shapes"

    def check(self, node: Node) -> None:
        input, output = node.input("input"), node.output
        checks.same_dtype(node, input, output)
        checks.elements(node, output, input.elements, "output")

    def lower(self, node: Node, lowering: Lowering) -> None:
        lowering.alias(node.output, node.input("input"))


class Squeeze(Reshape):
    name = "SQUEEZE"


class ExpandDims(Reshape):
    name = "EXPAND_DIMS"


OPS = (Reshape(), Squeeze(), ExpandDims())
