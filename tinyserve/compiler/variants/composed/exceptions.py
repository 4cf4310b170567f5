# SPDX-License-Identifier: Apache-2.0
"""Convolutions of which some channels are beyond what the core's kernels hold: a factor of 0.5 or more from
sum to output, sums of int16 beyond 32 bits.

The core's kernels compute the layer with weights of zero in those channels; the portable kernel computes
those alone, and a copy puts them in their places.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from itertools import groupby

import numpy as np

from tinyserve.compiler.graph.types import DType, Node, Tensor
from tinyserve.compiler.ops.linear.conv_2d import Conv2D
from tinyserve.compiler.ops.linear.depthwise_conv_2d import DepthwiseConv2D
from tinyserve.compiler.ops.support.base import Lowering
from tinyserve.compiler.ops.support.biases import largest_s16_sums
from tinyserve.compiler.ops.support.quantize_params import convolution_requantization
from tinyserve.compiler.variants import Candidate, portable
from tinyserve.compiler.variants.composed import parts
from tinyserve.compiler.variants.composed.parts import IntArray

VARIANT = "exceptions"
_MOST = 0.5  # of the channels
_LEAST_SHIFT = {DType.INT8: 1, DType.INT16: 2}
"""To the right, that the kernels of every core take."""


@dataclass(frozen=True)
class _Kind:
    """An operator: the axis of its weights' channels, and its portable kernel."""

    axis: int
    lower: Callable[[Node, Lowering], None]


_KINDS = {
    "conv_2d": _Kind(0, Conv2D().lower_portable),
    "depthwise_conv_2d": _Kind(3, DepthwiseConv2D().lower_portable),
}


def candidates(name: str, node: Node, lowering: Lowering) -> list[Candidate]:
    """One candidate where at most half of the channels are exceptions, and the core has a kernel for the
    others. ``name``: conv_2d (ungrouped) or depthwise_conv_2d, of what ``parts.is_integer`` takes."""
    kind = _KINDS[name]
    channels = _exceptional(node, kind)
    if not 0 < len(channels) <= _MOST * node.output.shape[3]:
        return []
    others = parts.cheapest(name, _without(node, kind, channels), lowering)
    if others is None:
        return []
    alone = _alone(node, kind, channels)
    pixels = node.output.elements // node.output.shape[3]
    copied = (1 if kind.axis == 0 else 2) * len(_runs(channels)) * pixels
    copies = parts.copy_cost(copied, alone.output.nbytes)
    cost = others.cost + portable.cost(name, alone, lowering.target.features) + copies
    lower = partial(_lower, node, lowering, kind, channels, alone=alone, others=others)
    return [Candidate(VARIANT, cost, others.reason, lower)]


def _exceptional(node: Node, kind: _Kind) -> IntArray:
    """Channels whose factor or sums the kernels do not hold."""
    input, weights, output = node.input("input"), node.input("weights"), node.output
    count = output.shape[3]
    assert weights.data is not None
    factors = convolution_requantization(node, input, weights, output).per_channel(count)
    found = -factors.shifts.astype(np.int64) < _LEAST_SHIFT[input.dtype]
    if input.dtype is DType.INT16:
        found |= largest_s16_sums(node, np.moveaxis(weights.data, kind.axis, 0)) >= float(1 << 31)
    return np.flatnonzero(found).astype(np.int64)


def _without(node: Node, kind: _Kind, channels: IntArray) -> Node:
    """The layer with weights and bias of zero in these channels, and another channel's factor."""
    weights, bias = node.input("weights"), node.optional("bias")
    assert weights.data is not None and weights.quantization is not None
    known = weights.quantization
    ordinary = int(np.setdiff1d(np.arange(node.output.shape[3]), channels)[0])
    data = np.moveaxis(weights.data.copy(), kind.axis, 0)
    data[channels] = 0
    scales = list(known.scales)
    for channel in channels.tolist() if known.per_channel else ():
        scales[channel] = scales[ordinary]
    plain = replace(
        weights,
        index=-1,
        data=np.ascontiguousarray(np.moveaxis(data, 0, kind.axis)),
        quantization=replace(known, scales=tuple(scales)),
    )
    inputs: list[Tensor | None] = [node.input("input"), plain]
    if bias is not None:
        assert bias.data is not None
        values = bias.data.reshape(-1).copy()
        values[channels] = 0
        inputs.append(replace(bias, index=-1, data=values))
    return parts.part(node, node.name, inputs, node.output, node.attributes)


def _alone(node: Node, kind: _Kind, channels: IntArray) -> Node:
    """A layer of these channels alone: of a depthwise layer, with inputs of their own."""
    input, weights, output = node.input("input"), node.input("weights"), node.output
    assert weights.data is not None
    data = np.asarray(np.take(weights.data, channels, axis=kind.axis), np.int8)
    name, count = f"{output.name}_exceptions", len(channels)
    source = input
    if kind.axis == 3:
        source = parts.activation_like(input, f"{name}_input", (*input.shape[:3], count))
    inputs: list[Tensor | None] = [
        source,
        parts.weights_like(weights, f"{name}_weights", data, kind.axis, channels),
        parts.bias_like(node.optional("bias"), f"{name}_bias", channels),
    ]
    target = parts.activation_like(output, name, (*output.shape[:3], count))
    return parts.part(node, node.name, inputs, target, node.attributes)


def _runs(channels: IntArray) -> list[tuple[int, int]]:
    """First channel and length of each run of neighbours."""
    numbered = groupby(enumerate(channels.tolist()), lambda pair: pair[1] - pair[0])
    runs = [[channel for _, channel in run] for _, run in numbered]
    return [(run[0], len(run)) for run in runs]


def _lower(
    node: Node, lowering: Lowering, kind: _Kind, channels: IntArray, *, alone: Node, others: Candidate
) -> None:
    """The exceptions first, so that the others' output may lie over the input."""
    input, output = node.input("input"), node.output
    if kind.axis == 3:
        sources = channels // (output.shape[3] // input.shape[3])
        for at, source in enumerate(sources.tolist()):
            parts.copy_channels(node, lowering, (input, source), (alone.input("input"), at), 1)
    kind.lower(alone, lowering)
    others.lower()
    at = 0
    for first, length in _runs(channels):
        parts.copy_channels(node, lowering, (alone.output, at), (output, first), length)
        at += length
