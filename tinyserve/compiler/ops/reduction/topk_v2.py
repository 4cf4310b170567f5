# SPDX-License-Identifier: Apache-2.0
"""TOPK_V2 along the last axis. Kernels in ``kernels/topk_v2.h``."""

from __future__ import annotations

from dataclasses import dataclass

from tinyserve.compiler.graph.types import DType, Node
from tinyserve.compiler.ops.movement.slice import integers
from tinyserve.compiler.ops.support import checks
from tinyserve.compiler.ops.support.base import Lowering, OpDef
from tinyserve.compiler.ops.support.calls import add_call
from tinyserve.compiler.program import Params

_SUFFIX = {DType.INT8: "s8", DType.INT16: "s16", DType.INT32: "s32", DType.FLOAT32: "f32"}


@dataclass(frozen=True)
class TopKParams(Params, c_type="ts_topk_v2_params"):
    rows: int
    columns: int
    count: int


class TopK(OpDef):
    """Values and their positions. TFLM lacks the operator: LiteRT says what it gives."""

    name = "TOPK_V2"
    inputs = ("input", "count")
    outputs = ("values", "positions")
    types = _SUFFIX
    limits = "constant count; int32 positions"

    def check(self, node: Node) -> None:
        input, (values, positions) = node.input("input"), node.outputs
        checks.dtype(node, input, _SUFFIX, "input")
        checks.same_dtype(node, input, values)
        checks.dtype(node, positions, (DType.INT32,), "the positions")
        (count,) = integers(node, "count", "the count", 1)
        if not input.shape or not 1 <= count <= input.shape[-1]:
            raise checks.invalid(node, f"the largest {count} of {list(input.shape)}")
        for output in (values, positions):
            checks.shape(node, output, (*input.shape[:-1], count), "output")

    def lower(self, node: Node, lowering: Lowering) -> None:
        input = node.input("input")
        (count,) = integers(node, "count", "the count", 1)
        columns = input.shape[-1]
        add_call(
            node,
            lowering,
            f"ts_topk_v2_{_SUFFIX[input.dtype]}",
            "topk_v2.h",
            params=TopKParams(input.elements // columns, columns, count),
            inputs=[lowering.operand(input)],
            outputs=[lowering.buffer(output) for output in node.outputs],
        )


OPS = (TopK(),)
