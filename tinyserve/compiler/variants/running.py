# SPDX-License-Identifier: Apache-2.0
"""Running sums of int8 by several channels at a time, with the portable kernels' parameters."""

from __future__ import annotations

from tinyserve.compiler.graph.types import DType, Node
from tinyserve.compiler.ops.reduction import pool_2d, reduce, running
from tinyserve.compiler.ops.support.base import Lowering
from tinyserve.compiler.ops.support.calls import Kernel
from tinyserve.compiler.variants import Candidate

_OPERATORS = {operator.name: operator for operator in (*pool_2d.OPS, *reduce.OPS)}


def candidates(node: Node, lowering: Lowering, feature: str, lanes: int, reason: str) -> list[Candidate]:
    """One candidate for sums of channels over few enough pixels that they fit in 16 bits."""
    rows = _OPERATORS[node.name].taken(node)
    if rows.step != "sum" or rows.values.dtype is not DType.INT8 or not rows.shape.is_pixels:
        return []
    if rows.shape.reduced[2] > running.MOST_SHORT:
        return []
    kernel = Kernel(f"ts_{feature}_running_sum_{rows.types}", f"{feature}/running.h", feature, reason)
    cost = rows.values.elements * 6.0 / lanes
    return [Candidate(feature, cost, reason, lambda: running.take_in(rows, lowering, kernel))]
