# SPDX-License-Identifier: Apache-2.0
"""MUL with broadcasting. Kernels in ``kernels/mul.h``."""

from __future__ import annotations

from dataclasses import dataclass

from tinyserve.compiler.graph.types import DType, Node, Options
from tinyserve.compiler.ops.elementwise.add import SUFFIX
from tinyserve.compiler.ops.support import checks
from tinyserve.compiler.ops.support.base import Lowering, OpDef
from tinyserve.compiler.ops.support.broadcast import Broadcast, broadcast_overlaps, check_broadcast
from tinyserve.compiler.ops.support.calls import Kernel, add_call
from tinyserve.compiler.ops.support.quantize_params import (
    Activation,
    activation_range,
    check_activation,
    int32_range,
    ratio,
    requantization,
)
from tinyserve.compiler.ops.support.records import Clamp, FloatClamp, float_clamp, quantized_clamp
from tinyserve.compiler.program import Params


@dataclass(frozen=True)
class MulAttributes:
    activation: Activation = Activation.NONE


@dataclass(frozen=True)
class MulQuantizedParams(Params, c_type="ts_mul_quantized_params"):
    broadcast: Broadcast
    clamp: Clamp
    offset1: int
    offset2: int
    output_offset: int
    multiplier: int
    shift: int


@dataclass(frozen=True)
class MulS32Params(Params, c_type="ts_mul_s32_params"):
    broadcast: Broadcast
    clamp: Clamp


@dataclass(frozen=True)
class MulF32Params(Params, c_type="ts_mul_f32_params"):
    broadcast: Broadcast
    clamp: FloatClamp


class Mul(OpDef):
    """The product of the scales over the output's, in float64: TFLM's CalculateOpDataMul."""

    name = "MUL"
    inputs = ("input1", "input2")
    types = SUFFIX
    limits = "up to 6 dimensions"

    def attributes(self, options: Options) -> MulAttributes:
        return MulAttributes(Activation.read(options))

    def check(self, node: Node) -> None:
        input1, input2, output = node.input("input1"), node.input("input2"), node.output
        checks.dtype(node, input1, SUFFIX, "input")
        checks.same_dtype(node, input1, input2, output)
        check_broadcast(node, input1, input2)
        check_activation(node, node.attributes.activation)
        if input1.dtype in (DType.INT8, DType.INT16):
            checks.per_tensor(node, input1, input2, output)
            activation_range(node, node.attributes.activation, output)
            _requantization(node)
        if input1.dtype is DType.INT16:
            checks.symmetric(node, input1, input2, output)

    def lower(self, node: Node, lowering: Lowering) -> None:
        if lowering.lower_variant("mul", node):
            return
        kind = SUFFIX[node.output.dtype]
        self.add(node, lowering, Kernel(f"ts_mul_{kind}", "mul.h"))

    def add(self, node: Node, lowering: Lowering, kernel: Kernel) -> None:
        """Appends the call of a kernel that takes the portable kernels' parameters."""
        input1, input2, output = node.input("input1"), node.input("input2"), node.output
        sources = [lowering.operand(input1), lowering.operand(input2)]
        target = lowering.buffer(output)
        add_call(
            node,
            lowering,
            kernel.function,
            kernel.header,
            params=_params(node, Broadcast.of(input1, input2, output)),
            inputs=sources,
            outputs=[target],
            overlaps=broadcast_overlaps(node, [input1, input2], sources, target),
            variant=kernel.variant,
            reason=kernel.reason,
        )


def _params(node: Node, broadcast: Broadcast) -> Params:
    input1, input2, output = node.input("input1"), node.input("input2"), node.output
    activation: Activation = node.attributes.activation
    if output.dtype is DType.FLOAT32:
        return MulF32Params(broadcast, float_clamp(activation))
    if output.dtype is DType.INT32:
        return MulS32Params(broadcast, Clamp(*int32_range(activation)))
    offsets = -input1.zero_point, -input2.zero_point, output.zero_point
    return MulQuantizedParams(broadcast, quantized_clamp(node), *offsets, *_requantization(node))


def _requantization(node: Node) -> tuple[int, int]:
    scale1, scale2 = node.input("input1").scale, node.input("input2").scale
    return requantization(node, ratio(scale1 * scale2, node.output.scale))


OPS = (Mul(),)
