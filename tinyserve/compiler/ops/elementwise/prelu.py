# SPDX-License-Identifier: Apache-2.0
"""PRELU: a slope per element (or channel) below zero. Kernels in ``kernels/prelu.h``."""

from __future__ import annotations

from dataclasses import dataclass

from tinyserve.compiler.graph.types import DType, Node
from tinyserve.compiler.ops.support import checks
from tinyserve.compiler.ops.support.binary import Binary
from tinyserve.compiler.ops.support.broadcast import Broadcast, check_broadcast
from tinyserve.compiler.ops.support.quantize_params import ratio, requantization
from tinyserve.compiler.ops.support.records import Factor
from tinyserve.compiler.program import Params

_SUFFIXES = {DType.INT8: "s8", DType.INT16: "s16", DType.FLOAT32: "f32"}


@dataclass(frozen=True)
class PreluF32Params(Params, c_type="ts_prelu_f32_params"):
    broadcast: Broadcast


@dataclass(frozen=True)
class PreluQuantizedParams(Params, c_type="ts_prelu_quantized_params"):
    broadcast: Broadcast
    input_offset: int
    alpha_offset: int
    output_offset: int
    factor: Factor
    negative_factor: Factor


class Prelu(Binary):
    """TFLM's CalculatePreluParams. Alpha is int8 for int16 inputs."""

    name = "PRELU"
    inputs = ("input", "alpha")
    kernel = "prelu"
    header = "prelu"
    suffixes = _SUFFIXES
    types = suffixes

    def check(self, node: Node) -> None:
        input, alpha, output = node.input("input"), node.input("alpha"), node.output
        checks.dtype(node, input, self.suffixes, "input")
        checks.same_dtype(node, input, output)
        checks.dtype(node, alpha, (DType.INT8 if input.dtype is DType.INT16 else input.dtype,), "alpha")
        check_broadcast(node, input, alpha)
        if input.dtype is not DType.FLOAT32:
            checks.per_tensor(node, input, alpha, output)
            self._factors(node)

    def params(self, node: Node, broadcast: Broadcast) -> Params:
        input, alpha, output = node.input("input"), node.input("alpha"), node.output
        if input.dtype is DType.FLOAT32:
            return PreluF32Params(broadcast)
        offsets = -input.zero_point, -alpha.zero_point, output.zero_point
        return PreluQuantizedParams(broadcast, *offsets, *self._factors(node))

    def _factors(self, node: Node) -> tuple[Factor, Factor]:
        input, alpha, output = node.input("input"), node.input("alpha"), node.output
        return (
            Factor(*requantization(node, ratio(input.scale, output.scale))),
            Factor(*requantization(node, ratio(input.scale * alpha.scale, output.scale))),
        )


OPS = (Prelu(),)
