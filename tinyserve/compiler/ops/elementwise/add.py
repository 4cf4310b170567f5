# SPDX-License-Identifier: Apache-2.0
"""ADD and SUB with broadcasting. Kernels in ``kernels/add.h``."""

from __future__ import annotations

from dataclasses import dataclass

from tinyserve.compiler.graph.types import DType, Node, Options
from tinyserve.compiler.ops.support import checks
from tinyserve.compiler.ops.support.base import unsupported
from tinyserve.compiler.ops.support.binary import Binary
from tinyserve.compiler.ops.support.broadcast import Broadcast
from tinyserve.compiler.ops.support.quantize_params import (
    Activation,
    activation_range,
    check_activation,
    int32_range,
    quantize_multiplier,
)
from tinyserve.compiler.ops.support.records import Clamp, Factor, FloatClamp, float_clamp, quantized_clamp
from tinyserve.compiler.program import Params

SUFFIX = {DType.INT8: "s8", DType.INT16: "s16", DType.INT32: "s32", DType.FLOAT32: "f32"}


@dataclass(frozen=True)
class AddAttributes:
    activation: Activation = Activation.NONE


@dataclass(frozen=True)
class SumScaling(Params, c_type="ts_sum_scaling"):
    """What quantized inputs are brought to one scale by, and sums to the output's."""

    offset1: int
    offset2: int
    output_offset: int
    left_shift: int
    factor1: Factor
    factor2: Factor
    output_factor: Factor


@dataclass(frozen=True)
class AddQuantizedParams(Params, c_type="ts_add_quantized_params"):
    broadcast: Broadcast
    activation: Clamp
    scaling: SumScaling
    subtract: bool


@dataclass(frozen=True)
class AddS32Params(Params, c_type="ts_add_s32_params"):
    broadcast: Broadcast
    activation: Clamp
    subtract: bool


@dataclass(frozen=True)
class AddF32Params(Params, c_type="ts_add_f32_params"):
    broadcast: Broadcast
    activation: FloatClamp
    subtract: bool


class Add(Binary):
    """Quantized inputs are brought to twice the larger scale with 20 (int8) or 15 (int16) extra bits."""

    name = "ADD"
    kernel = "add"
    header = "add"
    suffixes = SUFFIX
    types = suffixes
    limits = "int32 without a fused activation; up to 6 dimensions"

    def attributes(self, options: Options) -> AddAttributes:
        return AddAttributes(Activation.read(options))

    def check_values(self, node: Node) -> None:
        input1, input2, output = node.input("input1"), node.input("input2"), node.output
        check_activation(node, node.attributes.activation)
        if input1.dtype in (DType.INT8, DType.INT16):
            checks.per_tensor(node, input1, input2, output)
            activation_range(node, node.attributes.activation, output)
            self._factors(node)
        elif input1.dtype is DType.INT32 and any(t.quantization for t in (input1, input2)):
            raise unsupported(node, "quantized int32", "use plain int32 or int8")
        self.check_int32(node)

    def check_int32(self, node: Node) -> None:
        """TFLM's int32 ADD leaves the activation out, LiteRT's does not: there is no right answer."""
        if node.output.dtype is DType.INT32 and node.attributes.activation is not Activation.NONE:
            raise unsupported(node, "an activation fused into int32", "use a separate activation layer")

    def params(self, node: Node, broadcast: Broadcast) -> Params:
        subtract, activation = node.name == "SUB", node.attributes.activation
        if node.output.dtype is DType.FLOAT32:
            return AddF32Params(broadcast, float_clamp(activation), subtract)
        if node.output.dtype is DType.INT32:
            return AddS32Params(broadcast, Clamp(*int32_range(activation)), subtract)
        return AddQuantizedParams(broadcast, quantized_clamp(node), self.scaling(node), subtract)

    def scaling(self, node: Node) -> SumScaling:
        """Offsets, multipliers and shifts of the quantized kernels."""
        input1, input2, output = node.input("input1"), node.input("input2"), node.output
        return SumScaling(
            -input1.zero_point, -input2.zero_point, output.zero_point, _left_shift(output.dtype),
            *self._factors(node),
        )  # fmt: skip

    def _factors(self, node: Node) -> list[Factor]:
        """Of input 1, input 2 and the output: TFLM's CalculateOpDataAdd and CalculateOpDataSub."""
        scale1, scale2 = node.input("input1").scale, node.input("input2").scale
        output = node.output
        twice_max = 2 * max(scale1, scale2)
        result = twice_max / ((1 << _left_shift(output.dtype)) * output.scale)
        return _below_one(node, [scale1 / twice_max, scale2 / twice_max, result])


class Sub(Add):
    """As ADD."""

    name = "SUB"
    limits = "up to 6 dimensions"

    def check_int32(self, node: Node) -> None:
        """TFLM's int32 SUB applies the activation."""


def _left_shift(dtype: DType) -> int:
    return 15 if dtype is DType.INT16 else 20


def _below_one(node: Node, factors: list[float]) -> list[Factor]:
    """TFLM's QuantizeMultiplierSmallerThanOneExp, which stops at factors outside of (0, 1)."""
    if not all(0.0 < factor < 1.0 for factor in factors):
        raise unsupported(
            node,
            "the scales of its inputs and output are too far apart",
            "quantize the model again with representative data",
        )
    found = [Factor(*quantize_multiplier(factor)) for factor in factors]
    if any(factor.shift > 0 for factor in found):
        raise unsupported(node, "the output's scale is too small", "quantize the model again")
    return found


OPS = (Add(), Sub())
