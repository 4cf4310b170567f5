# SPDX-License-Identifier: Apache-2.0
"""ADD and SUB with broadcasting. Kernels in ``kernels/add.h``."""

from __future__ import annotations

from dataclasses import dataclass

from tinyserve.compiler.graph.types import DType, Node, Options
from tinyserve.compiler.ops.support import checks
from tinyserve.compiler.ops.support.base import Lowering, OpDef, unsupported
from tinyserve.compiler.ops.support.broadcast import broadcast_overlaps, broadcast_params, check_broadcast
from tinyserve.compiler.ops.support.calls import add_call
from tinyserve.compiler.ops.support.quantize_params import (
    Activation,
    activation_range,
    check_activation,
    float_range,
    int32_range,
    quantize_multiplier,
)
from tinyserve.compiler.program import ParamValue

SUFFIX = {DType.INT8: "s8", DType.INT16: "s16", DType.INT32: "s32", DType.FLOAT32: "f32"}


@dataclass(frozen=True)
class AddAttributes:
    activation: Activation = Activation.NONE


class Add(OpDef):
    """Quantized inputs are brought to twice the larger scale with 20 (int8) or 15 (int16) extra bits."""

    name = "ADD"
    inputs = ("input1", "input2")
    types = SUFFIX
    limits = "int32 without a fused activation; up to 6 dimensions"

    def attributes(self, options: Options) -> AddAttributes:
        return AddAttributes(Activation.read(options))

    def check(self, node: Node) -> None:
        input1, input2, output = node.input("input1"), node.input("input2"), node.output
        checks.dtype(node, input1, SUFFIX, "input")
        checks.same_dtype(node, input1, input2, output)
        check_broadcast(node, input1, input2)
        check_activation(node, node.attributes.activation)
        if input1.dtype in (DType.INT8, DType.INT16):
            checks.per_tensor(node, input1, input2, output)
            activation_range(node, node.attributes.activation, output)
            self._multipliers(node)
        elif input1.dtype is DType.INT32 and any(t.quantization for t in (input1, input2)):
            raise unsupported(node, "quantized int32", "use plain int32 or int8")
        self.check_int32(node)

    def check_int32(self, node: Node) -> None:
        """TFLM's int32 ADD leaves the activation out, LiteRT's does not: there is no right answer."""
        if node.output.dtype is DType.INT32 and node.attributes.activation is not Activation.NONE:
            raise unsupported(node, "an activation fused into int32", "use a separate activation layer")

    def lower(self, node: Node, lowering: Lowering) -> None:
        if lowering.lower_variant("add", node):
            return
        input1, input2, output = node.input("input1"), node.input("input2"), node.output
        activation: Activation = node.attributes.activation
        params: dict[str, ParamValue] = {**broadcast_params(input1, input2, output)}
        if output.dtype is DType.FLOAT32:
            params["activation_min"], params["activation_max"] = float_range(activation)
        elif output.dtype is DType.INT32:
            params["activation_min"], params["activation_max"] = int32_range(activation)
        else:
            params["activation_min"], params["activation_max"] = activation_range(node, activation, output)
            params.update(self.quantized_params(node))
        params["subtract"] = node.name == "SUB"
        sources = [lowering.operand(input1), lowering.operand(input2)]
        target = lowering.buffer(output)
        kind = SUFFIX[output.dtype]
        shared = "" if kind in ("s32", "f32") else "quantized_"
        add_call(
            node,
            lowering,
            f"ts_add_{kind}",
            "add.h",
            params=params,
            inputs=sources,
            outputs=[target],
            params_type=f"ts_add_{shared or kind + '_'}params",
            overlaps=broadcast_overlaps(node, [input1, input2], sources, target),
        )

    def quantized_params(self, node: Node) -> dict[str, ParamValue]:
        """Offsets, multipliers and shifts of the quantized kernels."""
        input1, input2, output = node.input("input1"), node.input("input2"), node.output
        (multiplier1, shift1), (multiplier2, shift2), (multiplier, shift) = self._multipliers(node)
        return {
            "offset1": -input1.zero_point,
            "offset2": -input2.zero_point,
            "output_offset": output.zero_point,
            "left_shift": _left_shift(output.dtype),
            "multiplier1": multiplier1,
            "shift1": shift1,
            "multiplier2": multiplier2,
            "shift2": shift2,
            "output_multiplier": multiplier,
            "output_shift": shift,
        }

    def _multipliers(self, node: Node) -> list[tuple[int, int]]:
        """Of input 1, input 2 and the output: TFLM's CalculateOpDataAdd and CalculateOpDataSub."""
        scale1, scale2 = node.input("input1").scale, node.input("input2").scale
        output = node.output
        twice_max = 2 * max(scale1, scale2)
        result = twice_max / ((1 << _left_shift(output.dtype)) * output.scale)
        return _below_one(node, [scale1 / twice_max, scale2 / twice_max, result])


class Sub(Add):
    """As ADD."""

    name = "SUB"
    types = SUFFIX
    limits = "up to 6 dimensions"

    def check_int32(self, node: Node) -> None:
        """TFLM's int32 SUB applies the activation."""


def _left_shift(dtype: DType) -> int:
    return 15 if dtype is DType.INT16 else 20


def _below_one(node: Node, factors: list[float]) -> list[tuple[int, int]]:
    """TFLM's QuantizeMultiplierSmallerThanOneExp, which stops at factors outside of (0, 1)."""
    if not all(0.0 < factor < 1.0 for factor in factors):
        raise unsupported(
            node,
            "the scales of its inputs and output are too far apart",
            "quantize the model again with representative data",
        )
    pairs = [quantize_multiplier(factor) for factor in factors]
    if any(shift > 0 for _, shift in pairs):
        raise unsupported(node, "the output's scale is too small", "quantize the model again")
    return pairs


OPS = (Add(), Sub())
