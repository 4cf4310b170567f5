# SPDX-License-Identifier: Apache-2.0
"""Grouped CONV_2D: group by group, or as DEPTHWISE_CONV_2D where each group has one input channel."""

from __future__ import annotations

from tinyserve.compiler.graph.types import Node
from tinyserve.compiler.ops.support.base import Lowering
from tinyserve.compiler.variants import Candidate
from tinyserve.compiler.variants.composed import groups, parts

GROUPS = "groups"
DEPTHWISE = "depthwise"


def candidates(node: Node, lowering: Lowering) -> list[Candidate]:
    """One candidate for grouped int8 layers where the core has a kernel for every group."""
    input, weights = node.input("input"), node.input("weights")
    if not parts.is_int8(node) or weights.shape[3] == input.shape[3]:
        return []
    if weights.shape[3] > 1:
        return groups.candidates(GROUPS, node, lowering)
    depthwise = parts.with_weights(node, "DEPTHWISE_CONV_2D", (3, 1, 2, 0), axis=3)
    found = parts.cheapest("depthwise_conv_2d", depthwise, lowering)
    return [] if found is None else [Candidate(DEPTHWISE, found.cost, found.reason, found.lower)]
