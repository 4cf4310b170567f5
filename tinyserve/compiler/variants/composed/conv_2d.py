# SPDX-License-Identifier: Apache-2.0
"""CONV_2D from others: grouped ones group by group, or as DEPTHWISE_CONV_2D where each group has one input
channel; several images; one output channel or pixel; channels that are exceptions."""

from __future__ import annotations

from tinyserve.compiler.graph.types import Node
from tinyserve.compiler.ops.support.base import Lowering
from tinyserve.compiler.variants import Candidate
from tinyserve.compiler.variants.composed import dense, exceptions, groups, images, parts, single

GROUPS = "groups"
DEPTHWISE = "depthwise"


def candidates(node: Node, lowering: Lowering) -> list[Candidate]:
    """For layers of constant weights where the core has a kernel for every part."""
    if not parts.is_integer(node):
        return []
    ungrouped = node.input("weights").shape[3] == node.input("input").shape[3]
    several = images.candidates("conv_2d", node, lowering)
    if not ungrouped:
        return [*several, *_grouped(node, lowering)]
    return [
        *several,
        *exceptions.candidates("conv_2d", node, lowering),
        *single.candidates(node, lowering),
        *dense.candidates(node, lowering),
    ]


def _grouped(node: Node, lowering: Lowering) -> list[Candidate]:
    """One candidate for int8."""
    if not parts.is_int8(node):
        return []
    if node.input("weights").shape[3] > 1:
        return groups.candidates(GROUPS, node, lowering)
    depthwise = parts.with_weights(node, "DEPTHWISE_CONV_2D", (3, 1, 2, 0), axis=3)
    found = parts.cheapest("depthwise_conv_2d", depthwise, lowering)
    return [] if found is None else [Candidate(DEPTHWISE, found.cost, found.reason, found.lower)]
