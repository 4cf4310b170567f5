# SPDX-License-Identifier: Apache-2.0
"""SQUARED_DIFFERENCE with broadcasting. Kernels in ``kernels/squared_difference.h``."""

from __future__ import annotations

from dataclasses import dataclass

from tinyserve.compiler.graph.types import DType, Node
from tinyserve.compiler.ops.elementwise.add import SUFFIX, SumScaling
from tinyserve.compiler.ops.support import checks
from tinyserve.compiler.ops.support.binary import QUANTIZED, Binary
from tinyserve.compiler.ops.support.broadcast import Broadcast
from tinyserve.compiler.ops.support.quantize_params import (
    INTEGER_RANGE,
    quantize_multiplier,
    ratio,
    requantization,
)
from tinyserve.compiler.ops.support.records import Clamp, Factor
from tinyserve.compiler.program import Params

_LEFT_SHIFT = {DType.INT8: 7, DType.INT16: 0}


@dataclass(frozen=True)
class SquaredDifferenceParams(Params, c_type="ts_squared_difference_params"):
    broadcast: Broadcast


@dataclass(frozen=True)
class SquaredDifferenceQuantizedParams(Params, c_type="ts_squared_difference_quantized_params"):
    broadcast: Broadcast
    activation: Clamp
    scaling: SumScaling


class SquaredDifference(Binary):
    """TFLM's SquaredDifferencePrepare."""

    name = "SQUARED_DIFFERENCE"
    kernel = "squared_difference"
    header = "squared_difference"
    suffixes = SUFFIX
    types = suffixes

    def check_values(self, node: Node) -> None:
        tensors = [node.input("input1"), node.input("input2"), node.output]
        if tensors[0].dtype in QUANTIZED:
            checks.per_tensor(node, *tensors)
            self._output_factor(node)
        if tensors[0].dtype is DType.INT16:
            checks.symmetric(node, *tensors)

    def params(self, node: Node, broadcast: Broadcast) -> Params:
        input1, input2, output = node.input("input1"), node.input("input2"), node.output
        if output.dtype not in QUANTIZED:
            return SquaredDifferenceParams(broadcast)
        twice_max = 2.0 * max(input1.scale, input2.scale)
        scaling = SumScaling(
            -input1.zero_point, -input2.zero_point, output.zero_point, _LEFT_SHIFT[output.dtype],
            Factor(*quantize_multiplier(input1.scale / twice_max)),
            Factor(*quantize_multiplier(input2.scale / twice_max)), self._output_factor(node),
        )  # fmt: skip
        return SquaredDifferenceQuantizedParams(broadcast, Clamp(*INTEGER_RANGE[output.dtype]), scaling)

    def _output_factor(self, node: Node) -> Factor:
        output = node.output
        twice_max = 2.0 * max(node.input("input1").scale, node.input("input2").scale)
        scaled = (1 << 2 * _LEFT_SHIFT[output.dtype]) * output.scale
        return Factor(*requantization(node, ratio(twice_max * twice_max, scaled)))


OPS = (SquaredDifference(),)
