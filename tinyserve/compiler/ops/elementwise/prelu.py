# SPDX-License-Identifier: Apache-2.0
"""PRELU: a slope per element (or channel) below zero. Kernels in ``kernels/prelu.h``."""

from __future__ import annotations

from tinyserve.compiler.graph.types import DType, Node
from tinyserve.compiler.ops.support import checks
from tinyserve.compiler.ops.support.binary import QUANTIZED, Binary
from tinyserve.compiler.ops.support.broadcast import check_broadcast
from tinyserve.compiler.ops.support.quantize_params import ratio, requantization
from tinyserve.compiler.program import ParamValue

_SUFFIXES = {DType.INT8: "s8", DType.INT16: "s16", DType.FLOAT32: "f32"}
_PARAMS = {**dict.fromkeys(QUANTIZED, "prelu_quantized"), DType.FLOAT32: "prelu_f32"}


class Prelu(Binary):
    """TFLM's CalculatePreluParams. Alpha is int8 for int16 inputs."""

    name = "PRELU"
    inputs = ("input", "alpha")
    kernel = "prelu"
    header = "prelu"
    suffixes = _SUFFIXES
    types = suffixes
    params_of = _PARAMS

    def check(self, node: Node) -> None:
        input, alpha, output = node.input("input"), node.input("alpha"), node.output
        checks.dtype(node, input, self.suffixes, "input")
        checks.same_dtype(node, input, output)
        checks.dtype(node, alpha, (DType.INT8 if input.dtype is DType.INT16 else input.dtype,), "alpha")
        check_broadcast(node, input, alpha)
        if input.dtype is not DType.FLOAT32:
            checks.per_tensor(node, input, alpha, output)
            self._factors(node)

    def params(self, node: Node) -> dict[str, ParamValue]:
        input, alpha, output = node.input("input"), node.input("alpha"), node.output
        if input.dtype is DType.FLOAT32:
            return {}
        (multiplier, shift), (negative_multiplier, negative_shift) = self._factors(node)
        return {
            "input_offset": -input.zero_point,
            "alpha_offset": -alpha.zero_point,
            "output_offset": output.zero_point,
            "multiplier": multiplier,
            "shift": shift,
            "negative_multiplier": negative_multiplier,
            "negative_shift": negative_shift,
        }

    def _factors(self, node: Node) -> tuple[tuple[int, int], tuple[int, int]]:
        input, alpha, output = node.input("input"), node.input("alpha"), node.output
        return (
            requantization(node, ratio(input.scale, output.scale)),
            requantization(node, ratio(input.scale * alpha.scale, output.scale)),
        )


OPS = (Prelu(),)
