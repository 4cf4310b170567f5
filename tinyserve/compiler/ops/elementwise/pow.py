# SPDX-License-Identifier: Apache-2.0
"""POW with broadcasting. Kernels in ``kernels/pow.h``."""

from __future__ import annotations

from dataclasses import dataclass

from tinyserve.compiler.graph.types import DType, Node
from tinyserve.compiler.ops.support.binary import Binary
from tinyserve.compiler.ops.support.broadcast import Broadcast
from tinyserve.compiler.program import Params

_SUFFIX = {DType.INT32: "s32", DType.FLOAT32: "f32"}


@dataclass(frozen=True)
class PowParams(Params, c_type="ts_pow_params"):
    broadcast: Broadcast


class Pow(Binary):
    """TFLM lacks the operator: LiteRT says what it gives. It refuses negative exponents of integers."""

    name = "POW"
    kernel = "pow"
    header = "pow"
    suffixes = _SUFFIX
    types = suffixes

    def params(self, node: Node, broadcast: Broadcast) -> Params:
        return PowParams(broadcast)


OPS = (Pow(),)
