# SPDX-License-Identifier: Apache-2.0
"""MAXIMUM and MINIMUM with broadcasting. Kernels in ``kernels/maximum.h``."""

from __future__ import annotations

from dataclasses import dataclass

from tinyserve.compiler.graph.types import DType, Node
from tinyserve.compiler.ops.support import checks
from tinyserve.compiler.ops.support.binary import QUANTIZED, Binary
from tinyserve.compiler.ops.support.broadcast import Broadcast
from tinyserve.compiler.program import Params

_SUFFIXES = {
    DType.INT8: "s8",
    DType.INT16: "s16",
    DType.INT32: "s32",
    DType.INT64: "s64",
    DType.FLOAT32: "f32",
}


@dataclass(frozen=True)
class MaximumParams(Params, c_type="ts_maximum_params"):
    broadcast: Broadcast


class Maximum(Binary):
    """Quantized operands are compared as they are, so all must have the output's scale and zero point."""

    name = "MAXIMUM"
    kernel = "maximum"
    header = "maximum"
    suffixes = _SUFFIXES
    types = suffixes
    limits = "up to 6 dimensions; quantized inputs as the output"

    def params(self, node: Node, broadcast: Broadcast) -> Params:
        return MaximumParams(broadcast)

    def check_values(self, node: Node) -> None:
        output = node.output
        if output.dtype in QUANTIZED and output.quantization:
            for input in node.operands():
                checks.same_quantization(node, input, output, tolerance=1e-6)


class Minimum(Maximum):
    name = "MINIMUM"
    kernel = "minimum"


OPS = (Maximum(), Minimum())
