# SPDX-License-Identifier: Apache-2.0
"""BITWISE_XOR and RIGHT_SHIFT with broadcasting. Kernels in ``kernels/bitwise.h``."""

from __future__ import annotations

from dataclasses import dataclass

from tinyserve.compiler.graph.types import DType, Node
from tinyserve.compiler.ops.support.binary import Binary
from tinyserve.compiler.ops.support.broadcast import Broadcast
from tinyserve.compiler.program import Params

_SUFFIXES = {DType.INT8: "s8", DType.INT16: "s16", DType.INT32: "s32"}


@dataclass(frozen=True)
class BitwiseParams(Params, c_type="ts_bitwise_params"):
    broadcast: Broadcast


class BitwiseXor(Binary):
    """Of the integers as they are: scales mean nothing here, and are not read."""

    name = "BITWISE_XOR"
    kernel = "bitwise_xor"
    header = "bitwise"
    suffixes = _SUFFIXES
    types = suffixes

    def params(self, node: Node, broadcast: Broadcast) -> Params:
        return BitwiseParams(broadcast)


class RightShift(BitwiseXor):
    """With the sign; shifts below 0 and beyond the type's bits are as far as it goes."""

    name = "RIGHT_SHIFT"
    kernel = "right_shift"


OPS = (BitwiseXor(), RightShift())
