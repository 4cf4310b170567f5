# SPDX-License-Identifier: Apache-2.0
"""Axes that are computed at run time: what ``kernels/common/axis.h`` works on. No operator by itself."""

from __future__ import annotations

from dataclasses import dataclass

from tinyserve.compiler.graph.types import DType, Node, Tensor
from tinyserve.compiler.ops.support import checks
from tinyserve.compiler.ops.support.base import unsupported
from tinyserve.compiler.program import Params

MAX_RANK = 6  # TS_AXIS_RANK


def check_computed_axis(node: Node, count: int | None = 1) -> None:
    """The axis is int32, of ``count`` elements, and the rank of the input is one that the kernels take."""
    input, axis = node.input("input"), node.input("axis")
    checks.dtype(node, axis, (DType.INT32,), "the axis")
    if count is not None:
        checks.elements(node, axis, count, "the axis")
    if len(input.shape) > MAX_RANK:
        raise unsupported(node, f"more than {MAX_RANK} dimensions", "reshape to fewer dimensions")
    if node.output.elements > input.elements:
        raise checks.invalid(node, f"{node.output.elements} outputs of {input.elements} values")


@dataclass(frozen=True)
class AxisFields(Params):
    """Rank and shape of the tensor whose axes are computed."""

    rank: int
    shape: tuple[int, ...]

    @classmethod
    def of(cls, input: Tensor) -> AxisFields:
        return cls(len(input.shape), (*input.shape, *(1,) * (MAX_RANK - len(input.shape))))
