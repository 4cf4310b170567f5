# SPDX-License-Identifier: Apache-2.0
"""MUL of int8 on Armv6-M: scaled in two products of 16 bits."""

from __future__ import annotations

from tinyserve.compiler.graph.types import DType, Node
from tinyserve.compiler.ops.elementwise.mul import Mul, factor_of
from tinyserve.compiler.ops.support.base import Lowering
from tinyserve.compiler.ops.support.calls import Kernel
from tinyserve.compiler.variants import Candidate

_KERNEL = Kernel("ts_thumb1_mul_s8", "thumb1/mul.h", "thumb1", "scaled in two products of 16 bits")


def candidates(node: Node, lowering: Lowering) -> list[Candidate]:
    """One candidate for int8 whose factor is below one, whatever is broadcast."""
    output = node.output
    if output.dtype is not DType.INT8 or not -31 <= factor_of(node).shift <= 0:
        return []
    cost = output.elements * 48.0
    return [Candidate("thumb1", cost, _KERNEL.reason, lambda: Mul().add(node, lowering, _KERNEL))]
