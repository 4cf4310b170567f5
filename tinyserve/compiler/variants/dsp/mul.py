# SPDX-License-Identifier: Apache-2.0
"""MUL of int8 with SMMULR."""

from __future__ import annotations

from tinyserve.compiler.graph.types import DType, Node
from tinyserve.compiler.ops.elementwise.mul import Mul, factor_of
from tinyserve.compiler.ops.support.base import Lowering
from tinyserve.compiler.ops.support.calls import Kernel
from tinyserve.compiler.variants import Candidate

_KERNEL = Kernel("ts_dsp_mul_s8", "dsp/mul.h", "dsp", "scaled by the high half of one product")
_POWER_OF_TWO = 1 << 30
_MOST_LEFT = 12  # bits that a product of 17 may be shifted by


def candidates(node: Node, lowering: Lowering) -> list[Candidate]:
    """One candidate for int8, whatever is broadcast, but for factors that are powers of two, as behind a
    sigmoid: the compiler makes shifts of the portable kernel's products."""
    output = node.output
    if output.dtype is not DType.INT8:
        return []
    factor = factor_of(node)
    if factor.shift > _MOST_LEFT or factor.multiplier == _POWER_OF_TWO:
        return []
    cost = output.elements * 16.0
    return [Candidate("dsp", cost, _KERNEL.reason, lambda: Mul().add(node, lowering, _KERNEL))]
