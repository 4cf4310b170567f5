# SPDX-License-Identifier: Apache-2.0
"""CONV_2D of one output channel by kernels that take pairs: a second one of zeros is not copied."""

from __future__ import annotations

import numpy as np

from tinyserve.compiler.graph.types import Node, Tensor
from tinyserve.compiler.ops.support.base import Lowering
from tinyserve.compiler.variants import Candidate
from tinyserve.compiler.variants.composed import parts

VARIANT = "pair"


def candidates(node: Node, lowering: Lowering) -> list[Candidate]:
    """One candidate for ungrouped layers of one output channel."""
    output = node.output
    if output.shape[3] != 1:
        return []
    pair = _pair(node)
    found = parts.cheapest("conv_2d", pair, lowering)
    if found is None:
        return []
    cost = found.cost + parts.copy_cost(output.elements, output.nbytes)
    return [Candidate(VARIANT, cost, found.reason, lambda: _lower(node, lowering, pair, found))]


def _pair(node: Node) -> Node:
    weights, bias, output = node.input("weights"), node.optional("bias"), node.output
    assert weights.data is not None
    name, first = f"{output.name}_pair", np.zeros(1, np.int64)
    data = np.concatenate([weights.data, np.zeros_like(weights.data)]).astype(np.int8)
    inputs: list[Tensor | None] = [
        node.input("input"),
        parts.weights_like(weights, f"{name}_weights", data, 0, np.repeat(first, 2)),
    ]
    if bias is not None:
        assert bias.data is not None
        values = np.append(bias.data.reshape(-1), np.zeros(1, bias.data.dtype))
        inputs.append(Tensor(-1, f"{name}_bias", (2,), bias.dtype, None, values))
    target = parts.activation_like(output, name, (*output.shape[:3], 2))
    return parts.part(node, "CONV_2D", inputs, target, node.attributes)


def _lower(node: Node, lowering: Lowering, pair: Node, found: Candidate) -> None:
    found.lower()
    parts.copy_channels(node, lowering, (pair.output, 0), (node.output, 0))
