# SPDX-License-Identifier: Apache-2.0
"""CONV_2D whose window is the whole image is FULLY_CONNECTED: one pixel of each channel, and no patch."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tinyserve.compiler.graph.types import Node, Tensor
from tinyserve.compiler.ops.linear.conv_2d import conv_window
from tinyserve.compiler.ops.linear.fully_connected import FullyConnectedAttributes
from tinyserve.compiler.ops.support.base import Lowering
from tinyserve.compiler.variants import Candidate
from tinyserve.compiler.variants.composed import parts

VARIANT = "dense"


def candidates(node: Node, lowering: Lowering) -> list[Candidate]:
    """One candidate for ungrouped int8 layers of one output pixel that reads the whole image."""
    if not parts.is_int8(node) or not _is_whole(node):
        return []
    part = _part(node)
    found = parts.cheapest("fully_connected", part, lowering)
    if found is None:
        return []
    return [Candidate(VARIANT, found.cost, found.reason, found.lower)]


def _is_whole(node: Node) -> bool:
    input, weights, view = node.input("input"), node.input("weights"), conv_window(node)
    return (
        (view.output_height, view.output_width) == (1, 1)
        and tuple(weights.shape[1:]) == tuple(input.shape[1:])
        and view.pad_top == view.pad_left == 0
        and 1 in (view.dilation_height, view.filter_height)
        and 1 in (view.dilation_width, view.filter_width)
    )


def _part(node: Node) -> Node:
    """Weights with a scale per channel: one for all would be multiplied in another precision."""
    weights = node.input("weights")
    assert weights.data is not None and weights.quantization is not None
    channels, known = weights.shape[0], weights.quantization
    scales = known.scales if known.per_channel else known.scales * channels
    data = np.asarray(weights.data.reshape(channels, -1), np.int8)
    rows = replace(
        weights,
        index=-1,
        shape=data.shape,
        data=data,
        quantization=replace(known, scales=scales, zero_points=(0,) * len(scales), axis=0),
    )
    inputs: list[Tensor | None] = [node.input("input"), rows, node.optional("bias")]
    attributes = FullyConnectedAttributes(node.attributes.activation)
    return parts.part(node, "FULLY_CONNECTED", inputs, node.output, attributes)
