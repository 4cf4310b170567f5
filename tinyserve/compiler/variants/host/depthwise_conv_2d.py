# SPDX-License-Identifier: Apache-2.0
"""DEPTHWISE_CONV_2D on the host: 16 channels at a time, of int8 four taps per dot product."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tinyserve.compiler.graph.types import Node
from tinyserve.compiler.ops.linear.conv_2d import conv_window
from tinyserve.compiler.ops.support.base import Lowering
from tinyserve.compiler.ops.support.calls import add_call
from tinyserve.compiler.ops.support.quantize_params import convolution_requantization
from tinyserve.compiler.program import Params
from tinyserve.compiler.variants import Candidate, layers
from tinyserve.compiler.variants.host import conv_2d, floats, packing

REASON = "16 channels at a time, dot products of four taps"


@dataclass(frozen=True)
class HostDepthwiseConv2DParams(Params, c_type="ts_host_depthwise_conv_2d_params"):
    """``quads`` of taps."""

    stretches: packing.Stretches
    quads: int
    layer: packing.HostWeights


def candidates(node: Node, lowering: Lowering) -> list[Candidate]:
    """One candidate for layers of depth multiplier 1, or int8 of one input channel: a convolution."""
    input, weights = node.input("input"), node.input("weights")
    cost = node.output.elements * weights.shape[1] * weights.shape[2] * 0.1
    if weights.shape[3] == input.shape[3]:
        if layers.is_float(node):
            return [Candidate("host", cost, floats.REASON, lambda: floats.lower_depthwise(node, lowering))]
        if layers.int8_only(node):
            return [Candidate("host", cost, REASON, lambda: _lower(node, lowering))]
    elif input.shape[3] == 1 and layers.int8_only(node):
        return [Candidate("host", cost, conv_2d.REASON, lambda: _lower_as_convolution(node, lowering))]
    return []


def _lower_as_convolution(node: Node, lowering: Lowering) -> None:
    weights = node.input("weights")
    assert weights.data is not None
    conv_2d.lower_convolution(node, lowering, np.ascontiguousarray(weights.data.transpose(3, 1, 2, 0)))


def _lower(node: Node, lowering: Lowering) -> None:
    input, weights, output = node.input("input"), node.input("weights"), node.output
    assert weights.data is not None
    image = packing.Image(node, conv_window(node))
    stretches, lanes = image.stretches()
    taps = weights.data.reshape(-1, image.channels).T
    factors = convolution_requantization(node, input, weights, output)
    offsets = image.tap_offsets()
    quads = -(-len(offsets) // packing.QUAD)
    layer = packing.constants(
        node,
        lowering,
        packing.quads(taps[lanes][:, None, :]),
        packing.requantization(node, taps, factors)[lanes],
        offsets + [0] * (quads * packing.QUAD - len(offsets)),
    )
    add_call(
        node,
        lowering,
        "ts_host_depthwise_conv_2d_s8",
        "host/depthwise_conv_2d.h",
        params=HostDepthwiseConv2DParams(stretches, quads, layer),
        inputs=[lowering.operand(input)],
        outputs=[lowering.buffer(output)],
        scratch=[image.scratch(node, lowering)],
        macs=output.elements * len(offsets),
        variant="host",
        reason=REASON,
    )
