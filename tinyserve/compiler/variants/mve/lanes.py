# SPDX-License-Identifier: Apache-2.0
"""DEPTHWISE_CONV_2D on Helium with few outputs or taps per channel: four channels side by side."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tinyserve.compiler.graph.types import Node
from tinyserve.compiler.ops.linear.conv_2d import conv_lead, conv_window
from tinyserve.compiler.ops.support import biases
from tinyserve.compiler.ops.support.base import Lowering
from tinyserve.compiler.ops.support.calls import add_call
from tinyserve.compiler.ops.support.overlap import overlaps
from tinyserve.compiler.ops.support.quantize_params import convolution_requantization
from tinyserve.compiler.ops.support.window import Window
from tinyserve.compiler.program import Constant, Params
from tinyserve.compiler.variants import Candidate, layers
from tinyserve.compiler.variants.mve import packing

REASON = "four channels side by side, tap by tap"
VARIANT = "mve-lanes"
_LANES = 4
_MOST = 1 << 16
"""Output channels times multiplier: as far as the kernel's division by the multiplier is exact."""


@dataclass(frozen=True)
class LanesParams(Params, c_type="ts_mve_depthwise_lanes_params"):
    packed: layers.PackedWeights
    window: Window
    depth_multiplier: int
    input_zero_point: int
    output: packing.MveOutput


def candidate(node: Node, lowering: Lowering) -> Candidate | None:
    """For int8 layers whose factors are below one; None of others."""
    input, weights, output = node.input("input"), node.input("weights"), node.output
    multiplier = output.shape[3] // input.shape[3]
    if not layers.int8_only(node) or output.shape[3] * multiplier >= _MOST:
        return None
    if not packing.rounding_applies(node, convolution_requantization(node, input, weights, output)):
        return None
    groups = -(-output.shape[3] // _LANES)
    pixels = output.elements // output.shape[3]
    taps = weights.elements // output.shape[3]
    each = 25 if multiplier == 1 else 29
    cost = pixels * (groups * (8.0 * taps + each) + 30)
    return Candidate(VARIANT, cost, REASON, lambda: _lower(node, lowering))


def _lower(node: Node, lowering: Lowering) -> None:
    input, weights, output = node.input("input"), node.input("weights"), node.output
    view = conv_window(node)
    factors = convolution_requantization(node, input, weights, output)
    table = packing.requantization_table(biases.bias(node, output.shape[3], np.int32), factors)
    source, target = lowering.operand(input), lowering.buffer(output)
    packed = lowering.operand(weights)
    assert isinstance(packed, Constant)
    requant = lowering.constant(f"{weights.name}_requant", table.reshape(-1), "bias, multiplier, shift")
    params = LanesParams(
        layers.PackedWeights(packed, requant), view, output.shape[3] // input.shape[3], input.zero_point,
        packing.MveOutput.of(node),
    )  # fmt: skip
    add_call(
        node, lowering, "ts_mve_depthwise_lanes", "mve/depthwise_lanes.h", params=params, inputs=[source],
        outputs=[target], overlaps=overlaps(source, target, conv_lead(view, input, output)),
        macs=output.elements * weights.elements // output.shape[3], variant=VARIANT, reason=REASON,
    )  # fmt: skip
