# SPDX-License-Identifier: Apache-2.0
"""BROADCAST_ARGS: the shape of a broadcast, at run time. Kernels in ``kernels/broadcast_args.h``."""

from __future__ import annotations

from dataclasses import dataclass

from tinyserve.compiler.graph.types import DType, Node
from tinyserve.compiler.ops.support import checks
from tinyserve.compiler.ops.support.base import Lowering, OpDef
from tinyserve.compiler.ops.support.calls import add_call
from tinyserve.compiler.program import Params

_SUFFIX = {DType.INT32: "s32", DType.INT64: "s64"}


@dataclass(frozen=True)
class BroadcastArgsParams(Params, c_type="ts_broadcast_args_params"):
    rank1: int
    rank2: int
    rank: int


class BroadcastArgs(OpDef):
    """Two vectors of extents; the output has as many as the longer one."""

    name = "BROADCAST_ARGS"
    inputs = ("shape1", "shape2")
    types = _SUFFIX

    def check(self, node: Node) -> None:
        first, second, output = node.input("shape1"), node.input("shape2"), node.output
        checks.dtype(node, first, _SUFFIX, "input")
        checks.same_dtype(node, first, second, output)
        for tensor in (first, second):
            checks.rank(node, tensor, 1, "a shape")
        checks.shape(node, output, (max(first.shape[0], second.shape[0]),), "output")

    def lower(self, node: Node, lowering: Lowering) -> None:
        first, second, output = node.input("shape1"), node.input("shape2"), node.output
        add_call(
            node,
            lowering,
            f"ts_broadcast_args_{_SUFFIX[first.dtype]}",
            "broadcast_args.h",
            params=BroadcastArgsParams(first.shape[0], second.shape[0], output.shape[0]),
            inputs=[lowering.operand(first), lowering.operand(second)],
            outputs=[lowering.buffer(output)],
        )


OPS = (BroadcastArgs(),)
