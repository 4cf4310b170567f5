# SPDX-License-Identifier: Apache-2.0
"""SHAPE: the shape of a tensor, which is known when compiling. No kernel."""

from __future__ import annotations

import numpy as np

from tinyserve.compiler.graph.types import DType, Operator, Tensor
from tinyserve.compiler.ops.support import checks
from tinyserve.compiler.ops.support.base import Lowering, Op


class Shape(Op):
    """The output is a constant, whatever reads it."""

    name = "SHAPE"

    def check(self, op: Operator) -> None:
        checks.arity(op, 1)
        checks.dtype(op, op.outputs[0], (DType.INT32,), "output")  # int64 is folded
        checks.shape(op, op.outputs[0], (len(checks.required(op, 0).shape),), "output")

    def lower(self, op: Operator, lowering: Lowering) -> None:
        output = op.outputs[0]
        extents = np.array(checks.required(op, 0).shape, output.dtype.numpy)
        lowering.alias(output, Tensor(-1, output.name, output.shape, output.dtype, data=extents))


OPS = (Shape(),)
