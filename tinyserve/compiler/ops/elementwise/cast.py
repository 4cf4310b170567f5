# SPDX-License-Identifier: Apache-2.0
"""CAST between number types. Kernels in ``kernels/cast.h``."""

from __future__ import annotations

from dataclasses import dataclass

from tinyserve.compiler.graph.types import DType, Node
from tinyserve.compiler.ops.elementwise.unary import add_elementwise
from tinyserve.compiler.ops.support import checks
from tinyserve.compiler.ops.support.base import Lowering, OpDef
from tinyserve.compiler.program import Params

_SUFFIX = {
    DType.INT8: "s8", DType.UINT8: "u8", DType.INT16: "s16", DType.INT32: "s32", DType.UINT32: "u32",
    DType.INT64: "s64", DType.BOOL: "b8", DType.FLOAT32: "f32",
}  # fmt: skip


@dataclass(frozen=True)
class CastParams(Params, c_type="ts_cast_params"):
    elements: int


class Cast(OpDef):
    """Values as they are: quantization plays no part. TFLM lacks int64: LiteRT says what it gives."""

    name = "CAST"
    types = _SUFFIX

    def check(self, node: Node) -> None:
        input, output = node.input("input"), node.output
        checks.dtype(node, input, _SUFFIX, "input")
        checks.dtype(node, output, _SUFFIX, "output")
        checks.elements(node, output, input.elements, "output")

    def lower(self, node: Node, lowering: Lowering) -> None:
        input, output = node.input("input"), node.output
        function = f"ts_cast_{_SUFFIX[input.dtype]}_{_SUFFIX[output.dtype]}"
        add_elementwise(node, lowering, function, CastParams(output.elements), header="cast.h")


OPS = (Cast(),)
