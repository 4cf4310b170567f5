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
        checks.arity(node, 1)
        checks.dtype(node, node.outputs[0], (DType.INT32,), "output")  # int64 is folded
        checks.shape(node, node.outputs[0], (len(checks.required(node, 0).shape),), "output")

    def lower(self, node: Node, lowering: Lowering) -> None:
        output = node.outputs[0]
        extents = np.array(checks.required(node, 0).shape, output.dtype.numpy)
        lowering.alias(output, Tensor(-1, output.name, output.shape, output.dtype, data=extents))


OPS = (Shape(),)
