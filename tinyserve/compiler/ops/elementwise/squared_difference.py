# SPDX-License-Identifier: Apache-2.0
"""SQUARED_DIFFERENCE with broadcasting. Kernels in ``kernels/squared_difference.h``."""

from __future__ import annotations

from tinyserve.compiler.graph.types import DType, Node
from tinyserve.compiler.ops.elementwise.add import SUFFIX
from tinyserve.compiler.ops.support import checks
from tinyserve.compiler.ops.support.binary import QUANTIZED, Binary
from tinyserve.compiler.ops.support.quantize_params import (
    INTEGER_RANGE,
    quantize_multiplier,
    ratio,
    requantization,
)
from tinyserve.compiler.program import ParamValue

_LEFT_SHIFT = {DType.INT8: 7, DType.INT16: 0}
_PARAMS = {
    **dict.fromkeys((DType.INT32, DType.FLOAT32), "squared_difference"),
    **dict.fromkeys(QUANTIZED, "squared_difference_quantized"),
}


class SquaredDifference(Binary):
    """TFLM's SquaredDifferencePrepare."""

    name = "SQUARED_DIFFERENCE"
    kernel = "squared_difference"
    header = "squared_difference"
    suffixes = SUFFIX
    types = suffixes
    params_of = _PARAMS

    def check_values(self, node: Node) -> None:
        tensors = [node.input("input1"), node.input("input2"), node.output]
        if tensors[0].dtype in QUANTIZED:
            checks.per_tensor(node, *tensors)
            self._output_factor(node)
        if tensors[0].dtype is DType.INT16:
            checks.symmetric(node, *tensors)

    def params(self, node: Node) -> dict[str, ParamValue]:
        input1, input2, output = node.input("input1"), node.input("input2"), node.output
        if output.dtype not in QUANTIZED:
            return {}
        twice_max = 2.0 * max(input1.scale, input2.scale)
        multiplier1, shift1 = quantize_multiplier(input1.scale / twice_max)
        multiplier2, shift2 = quantize_multiplier(input2.scale / twice_max)
        multiplier, shift = self._output_factor(node)
        low, high = INTEGER_RANGE[output.dtype]
        return {
            "activation_min": low,
            "activation_max": high,
            "offset1": -input1.zero_point,
            "offset2": -input2.zero_point,
            "output_offset": output.zero_point,
            "left_shift": _LEFT_SHIFT[output.dtype],
            "multiplier1": multiplier1,
            "shift1": shift1,
            "multiplier2": multiplier2,
            "shift2": shift2,
            "output_multiplier": multiplier,
            "output_shift": shift,
        }

    def _output_factor(self, node: Node) -> tuple[int, int]:
        output = node.output
        twice_max = 2.0 * max(node.input("input1").scale, node.input("input2").scale)
        scaled = (1 << 2 * _LEFT_SHIFT[output.dtype]) * output.scale
        return requantization(node, ratio(twice_max * twice_max, scaled))


OPS = (SquaredDifference(),)
