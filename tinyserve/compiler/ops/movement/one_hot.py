# SPDX-License-Identifier: Apache-2.0
"""ONE_HOT. Kernels in ``kernels/one_hot.h``."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tinyserve.compiler.graph.types import DType, Node, Options
from tinyserve.compiler.ops.movement.slice import integers
from tinyserve.compiler.ops.support import checks
from tinyserve.compiler.ops.support.base import Lowering, OpDef
from tinyserve.compiler.ops.support.calls import add_call
from tinyserve.compiler.program import Params

_INDEX = {DType.INT32: "s32", DType.INT64: "s64"}
_VALUE = {
    DType.INT8: "s8", DType.INT32: "s32", DType.INT64: "s64", DType.BOOL: "b8", DType.FLOAT32: "f32",
}  # fmt: skip


@dataclass(frozen=True)
class OneHotParams(Params, c_type="ts_one_hot_params"):
    outer: int
    depth: int
    inner: int


@dataclass(frozen=True)
class OneHotAttributes:
    axis: int = 0


class OneHot(OpDef):
    """The new axis has ``depth`` values: ``on`` at the index, ``off`` elsewhere. TFLM lacks the operator:
    LiteRT says what it gives."""

    name = "ONE_HOT"
    inputs = ("indices", "depth", "on", "off")
    types = _VALUE
    limits = "a constant depth; int32 or int64 indices"

    def attributes(self, options: Options) -> OneHotAttributes:
        return OneHotAttributes(options.int32("axis"))

    def check(self, node: Node) -> None:
        indices, output = node.input("indices"), node.output
        checks.dtype(node, indices, _INDEX, "indices")
        checks.dtype(node, output, _VALUE, "output")
        checks.same_dtype(node, node.input("on"), node.input("off"), output)
        for name in ("on", "off"):
            checks.elements(node, node.input(name), 1, f"the value '{name}'")
        (depth,) = integers(node, "depth", "the depth", 1)
        axis = _axis(node)
        if not 0 <= axis <= len(indices.shape):
            raise checks.invalid(node, f"axis {node.attributes.axis} of {len(indices.shape)} dimensions")
        checks.shape(node, output, (*indices.shape[:axis], depth, *indices.shape[axis:]), "output")

    def lower(self, node: Node, lowering: Lowering) -> None:
        indices, output, axis = node.input("indices"), node.output, _axis(node)
        add_call(
            node,
            lowering,
            f"ts_one_hot_{_INDEX[indices.dtype]}_{_VALUE[output.dtype]}",
            "one_hot.h",
            params=OneHotParams(
                outer=int(np.prod(indices.shape[:axis], dtype=np.int64)),
                depth=output.shape[axis],
                inner=int(np.prod(indices.shape[axis:], dtype=np.int64)),
            ),
            inputs=[lowering.operand(node.input(name)) for name in ("indices", "on", "off")],
            outputs=[lowering.buffer(output)],
        )


def _axis(node: Node) -> int:
    """Where the new axis comes to lie: -1 is behind all others."""
    axis: int = node.attributes.axis
    return axis if axis >= 0 else axis + len(node.input("indices").shape) + 1


OPS = (OneHot(),)
