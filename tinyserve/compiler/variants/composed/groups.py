# SPDX-License-Identifier: Apache-2.0
"""Grouped convolutions, group by group: each copies its channels, is convolved and copies its outputs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tinyserve.compiler.graph.types import Node, Tensor
from tinyserve.compiler.ops.support.base import Lowering
from tinyserve.compiler.variants import Candidate
from tinyserve.compiler.variants.composed import parts


@dataclass(frozen=True)
class _Group:
    convolution: Node
    candidate: Candidate


def candidates(variant: str, node: Node, lowering: Lowering) -> list[Candidate]:
    """One candidate for an int8 CONV_2D where the core has a kernel for every group."""
    input, weights, output = node.input("input"), node.input("weights"), node.output
    if weights.shape[3] == input.shape[3]:
        whole = parts.cheapest("conv_2d", node, lowering)
        return [] if whole is None else [Candidate(variant, whole.cost, whole.reason, whole.lower)]
    groups = []
    for index in range(input.shape[3] // weights.shape[3]):
        convolution = _group(node, index)
        candidate = parts.cheapest("conv_2d", convolution, lowering)
        if candidate is None:
            return []
        groups.append(_Group(convolution, candidate))
    pixels = [tensor.elements // tensor.shape[3] for tensor in (input, output)]
    copies = parts.copy_cost(sum(pixels) * len(groups), input.nbytes + output.nbytes)
    cost = sum(group.candidate.cost for group in groups) + copies
    return [Candidate(variant, cost, parts.REASON, lambda: _lower(node, lowering, groups))]


def _group(node: Node, index: int) -> Node:
    input, weights, output = node.input("input"), node.input("weights"), node.output
    assert weights.data is not None
    depth = weights.shape[3]
    filters = output.shape[3] * depth // input.shape[3]
    channels = np.arange(index * filters, (index + 1) * filters, dtype=np.int64)
    name = f"{output.name}_group{index}"
    data = np.asarray(weights.data[channels], np.int8)
    inputs: list[Tensor | None] = [
        parts.activation_like(input, f"{name}_input", (*input.shape[:3], depth)),
        parts.weights_like(weights, f"{name}_weights", data, 0, channels),
        parts.bias_like(node.optional("bias"), f"{name}_bias", channels),
    ]
    target = parts.activation_like(output, name, (*output.shape[:3], filters))
    return parts.part(node, "CONV_2D", inputs, target, node.attributes)


def _lower(node: Node, lowering: Lowering, groups: list[_Group]) -> None:
    """Group after group, so that one group's copies are needed at a time."""
    input, output = node.input("input"), node.output
    for index, group in enumerate(groups):
        source, target = group.convolution.input("input"), group.convolution.output
        parts.copy_channels(node, lowering, (input, index * source.shape[3]), (source, 0))
        group.candidate.lower()
        parts.copy_channels(node, lowering, (target, 0), (output, index * target.shape[3]))
