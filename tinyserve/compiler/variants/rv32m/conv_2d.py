# SPDX-License-Identifier: Apache-2.0
"""CONV_2D on RV32M: four pixels times four channels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tinyserve.compiler.graph.types import Node
from tinyserve.compiler.ops.linear.conv_2d import conv_window
from tinyserve.compiler.ops.support.base import Lowering
from tinyserve.compiler.ops.support.calls import add_call
from tinyserve.compiler.ops.support.overlap import overlaps
from tinyserve.compiler.ops.support.quantize_params import convolution_requantization
from tinyserve.compiler.ops.support.records import Clamp, quantized_clamp
from tinyserve.compiler.program import Params
from tinyserve.compiler.variants import Candidate, layers
from tinyserve.compiler.variants.rv32m import packing

PIXELS = 4
TAPS = 2
REASON = "4 pixels x 4 channels share loads, sums in registers"


@dataclass(frozen=True)
class Rv32mConv2DParams(Params, c_type="ts_rv32m_conv_2d_params"):
    packed: layers.PackedWeights
    shape: layers.ConvolutionFields
    activation: Clamp


def candidates(node: Node, lowering: Lowering) -> list[Candidate]:
    """One candidate for ungrouped int8 convolutions of batch 1 whose accumulators are bounded."""
    input, weights, output = node.input("input"), node.input("weights"), node.output
    taps = layers.convolution_taps(node)
    if taps is None:
        return []
    table = packing.channel_table(node, taps, convolution_requantization(node, input, weights, output))
    if table is None:
        return []
    cost = output.elements * taps.shape[1] * 2.7
    return [Candidate("rv32m", cost, REASON, lambda: _lower(node, lowering, taps, table), PIXELS)]


def _lower(node: Node, lowering: Lowering, taps: npt.NDArray[np.int8], table: npt.NDArray[np.int32]) -> None:
    input, output = node.input("input"), node.output
    view = conv_window(node)
    packed = packing.in_blocks(taps, TAPS)
    nbytes = PIXELS * layers.rounded_up(taps.shape[1], TAPS)
    size = f"TS_RV32M_CONV_2D_SCRATCH_BYTES({taps.shape[1]})"
    patch = lowering.scratch(f"{output.name}_patch", nbytes, size=size)
    source, target = lowering.operand(input), lowering.buffer(output)
    params = Rv32mConv2DParams(
        packing.layer_constants(node, lowering, packed, table),
        layers.ConvolutionFields.of(node, view),
        quantized_clamp(node),
    )
    add_call(
        node,
        lowering,
        "ts_rv32m_conv_2d_s8",
        "rv32m/conv_2d.h",
        params=params,
        inputs=[source],
        outputs=[target],
        scratch=[patch],
        macs=output.elements * taps.shape[1],
        variant="rv32m",
        reason=REASON,
        sources=("rv32m/dots.S",),
        overlaps=overlaps(source, target, layers.patch_lead(view, PIXELS, input.shape[3], output.shape[3])),
    )
