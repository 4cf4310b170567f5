# SPDX-License-Identifier: Apache-2.0
"""SHAPE: the shape of a tensor, which is known when compiling. No kernel."""

from __future__ import annotations

import numpy as np

from tinyserve.compiler.graph.types import DType, Node, Tensor
from tinyserve.compiler.ops.support import checks
from tinyserve.compiler.ops.support.base import Lowering, OpDef


class Shape(OpDef):
    """The output is a constant, whatever reads it."""

    name = "SHAPE"

    def check(self, node: Node) -> None:
        checks.dtype(node, node.output, (DType.INT32,), "output")  # int64 is folded
        checks.shape(node, node.output, (len(node.input("input").shape),), "output")

    def lower(self, node: Node, lowering: Lowering) -> None:
        output = node.output
        extents = np.array(node.input("input").shape, output.dtype.numpy)
        lowering.alias(output, Tensor(-1, output.name, output.shape, output.dtype, data=extents))


OPS = (Shape(),)
