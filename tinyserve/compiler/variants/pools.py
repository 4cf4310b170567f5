# SPDX-License-Identifier: Apache-2.0
"""Pools of int8 that take several channels at a time, with the portable kernels' parameters."""

from __future__ import annotations

from collections.abc import Mapping

from tinyserve.compiler.graph.types import DType, Node
from tinyserve.compiler.ops.reduction.pool_2d import AveragePool2D, MaxPool2D, Pool2D
from tinyserve.compiler.ops.support.base import Lowering
from tinyserve.compiler.ops.support.calls import Kernel
from tinyserve.compiler.variants import Candidate
from tinyserve.words import counted

_MOST_TAPS = 255
"""Of an average: sums in 16 bits, and exact reciprocals."""
_TAP, _GROUP = {"dsp": 6.0, "mve": 5.0}, {"dsp": 40.0, "mve": 20.0}
"""Instructions per tap of a group of channels, and per group."""


def candidates(node: Node, lowering: Lowering, feature: str, lanes: Mapping[str, int]) -> list[Candidate]:
    """One candidate for maxima, and for averages of windows that are not too large. ``lanes``: channels at
    a time, by operator."""
    attributes, output = node.attributes, node.output
    taps = attributes.filter_height * attributes.filter_width
    if node.name not in lanes or node.input("input").dtype is not DType.INT8:
        return []
    if node.name == "AVERAGE_POOL_2D" and taps > _MOST_TAPS:
        return []
    pool: Pool2D = MaxPool2D() if node.name == "MAX_POOL_2D" else AveragePool2D()
    groups = output.elements / output.shape[3] * -(-output.shape[3] // lanes[node.name])
    kernel = Kernel(
        f"ts_{feature}_{pool.kernel}_s8",
        f"{feature}/pool_2d.h",
        feature,
        f"{counted(lanes[node.name], 'channel')} at a time",
    )
    cost = groups * (_TAP[feature] * taps + _GROUP[feature])
    return [Candidate(feature, cost, kernel.reason, lambda: pool.add(node, lowering, kernel))]
