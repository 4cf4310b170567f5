# SPDX-License-Identifier: Apache-2.0
"""MUL of int8 with SMMULR."""

from __future__ import annotations

from tinyserve.compiler.graph.types import DType, Node
from tinyserve.compiler.ops.elementwise.mul import Mul, factor_of
from tinyserve.compiler.ops.support.base import Lowering
from tinyserve.compiler.ops.support.calls import Kernel
from tinyserve.compiler.variants import Candidate

_KERNEL = Kernel("ts_dsp_mul_s8", "dsp/mul.h", "dsp", "scaled by the high half of one product")
_MOST_LEFT = 12  # bits that a product of 17 may be shifted by


def candidates(node: Node, lowering: Lowering) -> list[Candidate]:
    """One candidate for int8, whatever is broadcast."""
    output = node.output
    if output.dtype is not DType.INT8 or factor_of(node).shift > _MOST_LEFT:
        return []
    cost = output.elements * 16.0
    return [Candidate("dsp", cost, _KERNEL.reason, lambda: Mul().add(node, lowering, _KERNEL))]
