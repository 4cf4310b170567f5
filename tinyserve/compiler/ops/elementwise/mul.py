# SPDX-License-Identifier: Apache-2.0
"""MUL with broadcasting. Kernels in ``kernels/mul.h``."""

from __future__ import annotations

from dataclasses import dataclass

from tinyserve.compiler.graph.types import DType, Node, Options
from tinyserve.compiler.ops.elementwise.add import SUFFIX
from tinyserve.compiler.ops.support import checks
from tinyserve.compiler.ops.support.binary import Binary
from tinyserve.compiler.ops.support.broadcast import Broadcast
from tinyserve.compiler.ops.support.quantize_params import (
    Activation,
    activation_range,
    check_activation,
    int32_range,
    ratio,
    requantization,
)
from tinyserve.compiler.ops.support.records import Clamp, Factor, FloatClamp, float_clamp, quantized_clamp
from tinyserve.compiler.program import Params


@dataclass(frozen=True)
class MulAttributes:
    activation: Activation = Activation.NONE


@dataclass(frozen=True)
class MulQuantizedParams(Params, c_type="ts_mul_quantized_params"):
    broadcast: Broadcast
    activation: Clamp
    offset1: int
    offset2: int
    output_offset: int
    factor: Factor


@dataclass(frozen=True)
class MulS32Params(Params, c_type="ts_mul_s32_params"):
    broadcast: Broadcast
    activation: Clamp


@dataclass(frozen=True)
class MulF32Params(Params, c_type="ts_mul_f32_params"):
    broadcast: Broadcast
    activation: FloatClamp


class Mul(Binary):
    """The product of the scales over the output's, in float64: TFLM's CalculateOpDataMul."""

    name = "MUL"
    kernel = "mul"
    header = "mul"
    suffixes = SUFFIX
    types = suffixes
    limits = "up to 6 dimensions"

    def attributes(self, options: Options) -> MulAttributes:
        return MulAttributes(Activation.read(options))

    def check_values(self, node: Node) -> None:
        input1, input2, output = node.input("input1"), node.input("input2"), node.output
        check_activation(node, node.attributes.activation)
        if input1.dtype in (DType.INT8, DType.INT16):
            checks.per_tensor(node, input1, input2, output)
            activation_range(node, node.attributes.activation, output)
            factor_of(node)
        if input1.dtype is DType.INT16:
            checks.symmetric(node, input1, input2, output)

    def params(self, node: Node, broadcast: Broadcast) -> Params:
        input1, input2, output = node.input("input1"), node.input("input2"), node.output
        activation: Activation = node.attributes.activation
        if output.dtype is DType.FLOAT32:
            return MulF32Params(broadcast, float_clamp(activation))
        if output.dtype is DType.INT32:
            return MulS32Params(broadcast, Clamp(*int32_range(activation)))
        offsets = -input1.zero_point, -input2.zero_point, output.zero_point
        return MulQuantizedParams(broadcast, quantized_clamp(node), *offsets, factor_of(node))


def factor_of(node: Node) -> Factor:
    """From the product of two inputs, without their zero points, to the output."""
    scale1, scale2 = node.input("input1").scale, node.input("input2").scale
    return Factor(*requantization(node, ratio(scale1 * scale2, node.output.scale)))


OPS = (Mul(),)
