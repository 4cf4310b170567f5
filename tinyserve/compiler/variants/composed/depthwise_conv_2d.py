# SPDX-License-Identifier: Apache-2.0
"""DEPTHWISE_CONV_2D from others: with a channel multiplier each input channel is a CONV_2D of its own;
several images; channels that are exceptions."""

from __future__ import annotations

from tinyserve.compiler.graph.types import Node
from tinyserve.compiler.ops.support.base import Lowering
from tinyserve.compiler.variants import Candidate
from tinyserve.compiler.variants.composed import exceptions, groups, images, parts

VARIANT = "convolutions"
_LEAST = 4  # output channels of an input channel that pay for its copies


def candidates(node: Node, lowering: Lowering) -> list[Candidate]:
    """For layers of constant weights where the core has a kernel for every part."""
    if not parts.is_integer(node):
        return []
    return [
        *images.candidates("depthwise_conv_2d", node, lowering),
        *exceptions.candidates("depthwise_conv_2d", node, lowering),
        *_convolutions(node, lowering),
    ]


def _convolutions(node: Node, lowering: Lowering) -> list[Candidate]:
    """One candidate for int8 layers where each input channel has some output channels."""
    input, output = node.input("input"), node.output
    if not parts.is_int8(node) or output.shape[3] < (_LEAST if input.shape[3] > 1 else 2) * input.shape[3]:
        return []
    return groups.candidates(VARIANT, parts.with_weights(node, "CONV_2D", (3, 1, 2, 0), axis=0), lowering)
