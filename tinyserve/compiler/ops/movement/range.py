# SPDX-License-Identifier: Apache-2.0
"""RANGE: an arithmetic progression. Kernels in ``kernels/range.h``."""

from __future__ import annotations

import math
from dataclasses import dataclass

from tinyserve.compiler.graph.types import DType, Node, Tensor
from tinyserve.compiler.ops.support import checks
from tinyserve.compiler.ops.support.base import Lowering, OpDef
from tinyserve.compiler.ops.support.calls import add_call
from tinyserve.compiler.program import Params

_SUFFIX = {DType.INT32: "s32", DType.FLOAT32: "f32"}
_MOST = 1 << 20


@dataclass(frozen=True)
class RangeParams(Params, c_type="ts_range_params"):
    count: int


class Range(OpDef):
    """How many values there are must be known. TFLM lacks the operator: LiteRT says what it gives."""

    name = "RANGE"
    inputs = ("start", "limit", "delta")
    types = _SUFFIX
    limits = "constant start, limit and delta"

    def complete(self, node: Node) -> None:
        """Exporters leave the output's length open."""
        count = _count(node)
        if count is not None and len(node.output.shape) <= 1 and node.output.data is None:
            node.output.shape = (count,)

    def check(self, node: Node) -> None:
        for name in self.inputs:
            checks.elements(node, node.input(name), 1, f"the {name}")
            checks.constant(node, node.input(name), f"the {name}")
        checks.dtype(node, node.output, _SUFFIX, "output")
        checks.same_dtype(node, *node.operands(), node.output)
        count = _count(node)
        if count is None:
            raise checks.invalid(node, "no progression from start to limit")
        checks.shape(node, node.output, (count,), "output")

    def lower(self, node: Node, lowering: Lowering) -> None:
        add_call(
            node,
            lowering,
            f"ts_range_{_SUFFIX[node.output.dtype]}",
            "range.h",
            params=RangeParams(node.output.elements),
            inputs=[lowering.operand(node.input("start")), lowering.operand(node.input("delta"))],
            outputs=[lowering.buffer(node.output)],
        )


def _count(node: Node) -> int | None:
    """How many values there are; None where that is unknown, nothing or out of all proportion."""
    if len(node.inputs) != len(Range.inputs):
        return None
    start, limit, delta = (_value(tensor) for tensor in node.inputs)
    if start is None or limit is None or not delta:
        return None
    count = math.ceil((limit - start) / delta)
    return count if 1 <= count <= _MOST else None


def _value(tensor: Tensor | None) -> float | int | None:
    if tensor is None or tensor.data is None or tensor.elements != 1:
        return None
    value: float | int = tensor.data.reshape(-1)[0].item()
    return value if math.isfinite(value) else None


OPS = (Range(),)
