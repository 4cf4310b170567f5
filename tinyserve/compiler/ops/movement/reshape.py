# SPDX-License-Identifier: Apache-2.0
"""RESHAPE, SQUEEZE and EXPAND_DIMS: the same bytes under another shape. No kernel."""

from __future__ import annotations

from tinyserve.compiler.graph.types import Operator
from tinyserve.compiler.ops.support import checks
from tinyserve.compiler.ops.support.base import Lowering, Op


class Reshape(Op):
    """The output tensor carries the new shape; the input that may hold it, too, is not read."""

    name = "RESHAPE"
    limits = "static shapes"

    def check(self, op: Operator) -> None:
        checks.arity(op, 1, 2)
        input, output = checks.required(op, 0), op.outputs[0]
        checks.same_dtype(op, input, output)
        checks.elements(op, output, input.elements, "output")

    def lower(self, op: Operator, lowering: Lowering) -> None:
        lowering.alias(op.outputs[0], checks.required(op, 0))


class Squeeze(Reshape):
    name = "SQUEEZE"


class ExpandDims(Reshape):
    name = "EXPAND_DIMS"


OPS = (Reshape(), Squeeze(), ExpandDims())
