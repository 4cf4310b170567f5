# SPDX-License-Identifier: Apache-2.0
"""ARG_MAX and ARG_MIN along one axis. Kernels in ``kernels/arg_max.h``."""

from __future__ import annotations

import math
from dataclasses import dataclass

from tinyserve.compiler.graph.types import DType, Node
from tinyserve.compiler.ops.movement.slice import integers, resolved_axis
from tinyserve.compiler.ops.support import checks
from tinyserve.compiler.ops.support.axis import AxisFields, check_computed_axis
from tinyserve.compiler.ops.support.base import Lowering, OpDef
from tinyserve.compiler.ops.support.calls import add_call
from tinyserve.compiler.program import Params

_SUFFIX = {DType.INT8: "s8", DType.FLOAT32: "f32"}
_OUTPUTS = {DType.INT32: "", DType.INT64: "_s64"}
"""TFLM writes int32 alone; int64 is what LiteRT gives for Keras' and ONNX' default."""


@dataclass(frozen=True)
class ArgMaxParams(Params, c_type="ts_arg_max_params"):
    """``extent`` values along the axis, ``outer`` times ``inner`` times."""

    outer: int
    extent: int
    inner: int


@dataclass(frozen=True)
class ArgMaxAtParams(Params, c_type="ts_arg_max_at_params"):
    axis: AxisFields
    outputs: int


class ArgMax(OpDef):
    """The output is int32."""

    name = "ARG_MAX"
    inputs = ("input", "axis")
    types = _SUFFIX
    limits = "int32 or int64 output; int32 where the axis is computed"

    def check(self, node: Node) -> None:
        input, output = node.input("input"), node.output
        checks.dtype(node, input, _SUFFIX, "input")
        checks.dtype(node, output, _OUTPUTS, "output")
        if node.input("axis").is_constant:
            extent = input.shape[self._axis(node)]
            checks.elements(node, output, input.elements // extent, "output")
            return
        checks.dtype(node, output, (DType.INT32,), "output")
        check_computed_axis(node)

    def lower(self, node: Node, lowering: Lowering) -> None:
        input, kind = node.input("input"), _SUFFIX[node.input("input").dtype]
        if not node.input("axis").is_constant:
            self._lower_computed(node, lowering, kind)
            return
        axis = self._axis(node)
        params = ArgMaxParams(
            math.prod(input.shape[:axis]), input.shape[axis], math.prod(input.shape[axis + 1 :])
        )
        add_call(
            node,
            lowering,
            f"ts_{self.name.lower()}_{kind}{_OUTPUTS[node.output.dtype]}",
            "arg_max.h",
            params=params,
            inputs=[lowering.operand(input)],
            outputs=[lowering.buffer(node.output)],
        )

    def _lower_computed(self, node: Node, lowering: Lowering, kind: str) -> None:
        input, axis, output = node.input("input"), node.input("axis"), node.output
        add_call(
            node,
            lowering,
            f"ts_{self.name.lower()}_{kind}_at",
            "arg_max.h",
            params=ArgMaxAtParams(AxisFields.of(input), output.elements),
            inputs=[lowering.operand(input), lowering.operand(axis)],
            outputs=[lowering.buffer(output)],
        )

    def _axis(self, node: Node) -> int:
        return resolved_axis(node, integers(node, "axis", "the axis", 1)[0], len(node.input("input").shape))


class ArgMin(ArgMax):
    name = "ARG_MIN"
    types = _SUFFIX
    limits = "int32 or int64 output; int32 where the axis is computed"


OPS = (ArgMax(), ArgMin())
