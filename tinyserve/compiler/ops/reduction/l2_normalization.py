# SPDX-License-Identifier: Apache-2.0
"""L2_NORMALIZATION over the last dimension. Kernels in ``kernels/l2_normalization.h``."""

from __future__ import annotations

from dataclasses import dataclass

from tinyserve.compiler.graph.types import DType, Node, Options
from tinyserve.compiler.ops.support import checks
from tinyserve.compiler.ops.support.base import Lowering, OpDef, unsupported
from tinyserve.compiler.ops.support.calls import add_call
from tinyserve.compiler.ops.support.overlap import overlaps
from tinyserve.compiler.ops.support.quantize_params import Activation
from tinyserve.compiler.program import Params


@dataclass(frozen=True)
class L2NormalizationAttributes:
    activation: Activation = Activation.NONE


@dataclass(frozen=True)
class L2NormalizationF32Params(Params, c_type="ts_l2_normalization_f32_params"):
    rows: int
    depth: int


@dataclass(frozen=True)
class L2NormalizationS8Params(Params, c_type="ts_l2_normalization_s8_params"):
    rows: int
    depth: int
    input_offset: int


class L2Normalization(OpDef):
    """int8 outputs are 1/128 per step around 0, which TFLM takes for granted."""

    name = "L2_NORMALIZATION"
    types = (DType.INT8, DType.FLOAT32)

    def attributes(self, options: Options) -> L2NormalizationAttributes:
        return L2NormalizationAttributes(Activation.read(options))

    def check(self, node: Node) -> None:
        input, output = node.input("input"), node.output
        checks.dtype(node, input, (DType.INT8, DType.FLOAT32), "input")
        checks.same_dtype(node, input, output)
        checks.shape(node, output, input.shape, "output")
        if not input.shape:
            raise checks.invalid(node, "input is a scalar")
        if node.attributes.activation is not Activation.NONE:
            raise unsupported(node, "a fused activation", "use a separate activation layer")
        if input.dtype is DType.INT8:
            checks.per_tensor(node, input, output)
            if output.scale != 1 / 128 or output.zero_point != 0:
                raise unsupported(node, f"output scale {output.scale:g}", "quantize the model again (1/128)")

    def lower(self, node: Node, lowering: Lowering) -> None:
        input, output = node.input("input"), node.output
        depth = input.shape[-1]
        rows = input.elements // depth
        params: Params = L2NormalizationF32Params(rows, depth)
        if input.dtype is DType.INT8:
            params = L2NormalizationS8Params(rows, depth, -input.zero_point)
        source, target = lowering.operand(input), lowering.buffer(output)
        add_call(
            node,
            lowering,
            f"ts_l2_normalization_{'s8' if input.dtype is DType.INT8 else 'f32'}",
            "l2_normalization.h",
            params=params,
            inputs=[source],
            outputs=[target],
            overlaps=overlaps(source, target, 0),
        )


OPS = (L2Normalization(),)
