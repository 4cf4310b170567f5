# SPDX-License-Identifier: Apache-2.0
"""MUL of int8 on Helium: four elements at a time."""

from __future__ import annotations

from tinyserve.compiler.graph.types import DType, Node
from tinyserve.compiler.ops.elementwise.mul import Mul
from tinyserve.compiler.ops.support.base import Lowering
from tinyserve.compiler.ops.support.calls import Kernel
from tinyserve.compiler.variants import Candidate

_KERNEL = Kernel("ts_mve_mul_s8", "mve/mul.h", "mve", "four elements at a time")


def candidates(node: Node, lowering: Lowering) -> list[Candidate]:
    """One candidate for int8, whatever is broadcast."""
    output = node.output
    if output.dtype is not DType.INT8:
        return []
    return [
        Candidate(
            "mve",
            output.elements * 4.0,
            _KERNEL.reason,
            lambda: Mul().add(node, lowering, _KERNEL),
        )
    ]
