# SPDX-License-Identifier: Apache-2.0
"""DIV, FLOOR_DIV and FLOOR_MOD with broadcasting. Kernels in ``kernels/div.h``."""

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
    ratio,
    requantization,
)
from tinyserve.compiler.ops.support.records import Clamp, Factor, FloatClamp, float_clamp, quantized_clamp
from tinyserve.compiler.program import Params

_FLOAT_SUFFIXES = {DType.FLOAT32: "f32"}
_SUFFIXES = {DType.INT8: "s8", DType.INT32: "s32", **_FLOAT_SUFFIXES}
_FLOOR_SUFFIXES = {DType.INT32: "s32", **_FLOAT_SUFFIXES}
"""TFLM has float32 alone; int32 is LiteRT's, which ends with an error where it divides by 0."""
_SHIFTS = range(7, 24)
"""Of the output's factor: with others TFLM shifts some quotients by less than 0 or more than 31 bits."""


@dataclass(frozen=True)
class DivAttributes:
    activation: Activation = Activation.NONE


@dataclass(frozen=True)
class DivS8Params(Params, c_type="ts_div_s8_params"):
    broadcast: Broadcast
    activation: Clamp
    offset1: int
    offset2: int
    output_offset: int
    factor: Factor


@dataclass(frozen=True)
class DivS32Params(Params, c_type="ts_div_s32_params"):
    broadcast: Broadcast
    activation: Clamp


@dataclass(frozen=True)
class DivF32Params(Params, c_type="ts_div_f32_params"):
    broadcast: Broadcast
    activation: FloatClamp


class Div(Binary):
    """The first input's scale over the product of the others, in float64: TFLM's CalculateOpDataDiv."""

    name = "DIV"
    kernel = "div"
    header = "div"
    limits = "up to 6 dimensions; int8 with scale1 / (scale2 * output scale) of at least 64"
    suffixes = _SUFFIXES
    types = suffixes

    def attributes(self, options: Options) -> DivAttributes:
        return DivAttributes(Activation.read(options))

    def check_values(self, node: Node) -> None:
        check_activation(node, node.attributes.activation)
        input1, input2, output = node.input("input1"), node.input("input2"), node.output
        if output.dtype is DType.INT32 and any(tensor.quantization for tensor in (input1, input2)):
            raise unsupported(
                node, "quantized int32", "convert the model again without quantizing this layer"
            )
        if output.dtype is DType.INT8:
            checks.per_tensor(node, input1, input2, output)
            activation_range(node, node.attributes.activation, output)
            shift = _factor(node).shift
            if shift not in _SHIFTS:
                size = "large" if shift < _SHIFTS.start else "small"
                raise unsupported(
                    node,
                    f"int8 output scale {output.scale:.3g} is too {size} for inputs of scales "
                    f"{input1.scale:.3g} and {input2.scale:.3g}: TFLM's own results are undefined",
                    "keep this layer in float32",
                )

    def params(self, node: Node, broadcast: Broadcast) -> Params:
        input1, input2, output = node.input("input1"), node.input("input2"), node.output
        activation: Activation = node.attributes.activation
        if output.dtype is DType.FLOAT32:
            return DivF32Params(broadcast, float_clamp(activation))
        if output.dtype is DType.INT32:
            return DivS32Params(broadcast, Clamp(*int32_range(activation)))
        offsets = -input1.zero_point, -input2.zero_point, output.zero_point
        return DivS8Params(broadcast, quantized_clamp(node), *offsets, _factor(node))


def _factor(node: Node) -> Factor:
    scale1, scale2 = node.input("input1").scale, node.input("input2").scale
    return Factor(*requantization(node, ratio(scale1, scale2 * node.output.scale)))


class FloorDiv(Div):
    """The quotient, rounded down."""

    name = "FLOOR_DIV"
    kernel = "floor_div"
    limits = "up to 6 dimensions; int32 by 0 gives 0"
    suffixes = _FLOOR_SUFFIXES
    types = suffixes

    def attributes(self, options: Options) -> DivAttributes:
        return DivAttributes()


class FloorMod(FloorDiv):
    """The remainder, with the divisor's sign."""

    name = "FLOOR_MOD"
    kernel = "floor_mod"


OPS = (Div(), FloorDiv(), FloorMod())
