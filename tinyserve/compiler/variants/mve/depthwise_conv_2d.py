# SPDX-License-Identifier: Apache-2.0
"""DEPTHWISE_CONV_2D on Helium: 3x3 windows of 16 channels, one VMLADAV each."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tinyserve.compiler.graph.types import Node
from tinyserve.compiler.ops.linear.conv_2d import conv_window
from tinyserve.compiler.ops.support import biases
from tinyserve.compiler.ops.support.base import Lowering
from tinyserve.compiler.ops.support.calls import add_call
from tinyserve.compiler.ops.support.quantize_params import convolution_requantization
from tinyserve.compiler.program import Params
from tinyserve.compiler.variants import Candidate, blocks, layers
from tinyserve.compiler.variants.mve import lanes, packing, planes

_COST_PER_BLOCK = {1: 110.0, 2: 140.0}
"""Instructions per pixel and 16 channels, by stride."""
REASON = "3x3 windows of 16 channels interleaved, one dot product each"


@dataclass(frozen=True)
class MveDepthwiseConv2DParams(Params, c_type="ts_mve_depthwise_conv_2d_params"):
    packed: layers.PackedWeights
    shape: layers.DepthwiseFields
    output: packing.MveOutput


def candidates(node: Node, lowering: Lowering) -> list[Candidate]:
    """For int8 layers whose factors are below one: planes of one channel, lanes of four with multiplier 1;
    3x3 of batch 1, stride 1 or 2 and multiplier 1 also windows of 16 channels.
    """
    general = [one.candidate(node, lowering) for one in (planes, lanes)]
    found = [one for one in general if one is not None]
    view = conv_window(node)
    taps = layers.depthwise_3x3_taps(node, view)
    if taps is None or not found:
        return found
    blocks = -(-len(taps) // packing.LANES)
    pixels = view.output_height * view.output_width
    cost = _COST_PER_BLOCK[view.stride_height] * blocks * pixels
    return [*found, Candidate("mve", cost, REASON, lambda: _lower(node, lowering, taps))]


def _lower(node: Node, lowering: Lowering, taps: npt.NDArray[np.int8]) -> None:
    input, weights, output = node.input("input"), node.input("weights"), node.output
    view = conv_window(node)
    stride = view.stride_height
    factors = convolution_requantization(node, input, weights, output)
    table = packing.requantization_table(biases.folded_bias(node, taps), factors)
    size = f"TS_MVE_DEPTHWISE_SCRATCH_BYTES({view.output_width}, {stride})"
    words = lowering.scratch(f"{output.name}_words", scratch_bytes(view.output_width, stride), size=size)
    source, target = lowering.operand(input), lowering.buffer(output)
    params = MveDepthwiseConv2DParams(
        packing.weight_constants(node, lowering, _packed(taps), table),
        layers.DepthwiseFields.of(node, view),
        packing.MveOutput.of(node),
    )
    ties = "_ties" if packing.needs_exact_ties(node) else ""
    add_call(
        node,
        lowering,
        f"ts_mve_depthwise_conv_2d_s{stride}{ties}",
        "mve/depthwise_conv_2d.h",
        params=params,
        inputs=[source],
        outputs=[target],
        scratch=[words],
        macs=output.elements * 9,
        variant="mve",
        reason=REASON,
        overlaps=layers.channelwise_overlaps(source, target, view),
    )


def scratch_bytes(output_width: int, stride: int) -> int:
    """TS_MVE_DEPTHWISE_SCRATCH_BYTES: three rows of 64 bytes per two outputs, at stride 2 per output."""
    return 3 * 64 * ((output_width + 1) // 2 if stride == 1 else output_width)


def _packed(taps: npt.NDArray[np.int8]) -> npt.NDArray[np.int8]:
    """[channels][9] as [channels, rounded up to 16][4 rows][4 columns], the fourth of each zero."""
    squares = np.zeros((len(taps), 4, 4), dtype=np.int8)
    squares[:, :3, :3] = taps.reshape(-1, 3, 3)
    return blocks.whole(squares, packing.LANES).reshape(-1)
