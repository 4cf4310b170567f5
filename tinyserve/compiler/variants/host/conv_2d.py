# SPDX-License-Identifier: Apache-2.0
"""CONV_2D on the host: four pixels by up to 64 channels, of int8 four products per lane and step."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tinyserve.compiler.graph.types import Node
from tinyserve.compiler.ops.linear.conv_2d import conv_window
from tinyserve.compiler.ops.support.base import Lowering
from tinyserve.compiler.ops.support.calls import add_call
from tinyserve.compiler.ops.support.quantize_params import convolution_requantization
from tinyserve.compiler.program import Params
from tinyserve.compiler.variants import Candidate, layers
from tinyserve.compiler.variants.host import floats, packing

REASON = "dot products of four, 16 channels in a block"


@dataclass(frozen=True)
class HostConv2DParams(Params, c_type="ts_host_conv_2d_params"):
    rows: packing.Rows
    matmul: packing.HostMatmul


def candidates(node: Node, lowering: Lowering) -> list[Candidate]:
    """One candidate for ungrouped convolutions of int8 or float32."""
    input, weights = node.input("input"), node.input("weights")
    if weights.shape[3] != input.shape[3]:
        return []
    macs = node.output.elements * weights.elements // weights.shape[0]
    if layers.is_float(node):
        return [
            Candidate("host", macs * 0.1, floats.REASON, lambda: floats.lower_convolution(node, lowering))
        ]
    if layers.int8_only(node):
        return [Candidate("host", macs * 0.03, REASON, lambda: _lower(node, lowering))]
    return []


def _lower(node: Node, lowering: Lowering) -> None:
    weights = node.input("weights")
    assert weights.data is not None
    lower_convolution(node, lowering, weights.data)


def lower_convolution(node: Node, lowering: Lowering, taps: npt.NDArray[np.int8]) -> None:
    """The call for taps [output channels][height][width][input channels]."""
    input, weights, output = node.input("input"), node.input("weights"), node.output
    image = packing.Image(node, conv_window(node))
    runs = taps.reshape(len(taps), -1, image.run_length())
    factors = convolution_requantization(node, input, weights, output)
    requantization = packing.requantization(node, taps, factors)
    layer = packing.constants(node, lowering, packing.quads(runs), requantization, image.run_offsets())
    matmul = packing.HostMatmul(runs.shape[1], -(-runs.shape[2] // packing.QUAD), len(taps), layer)
    add_call(
        node,
        lowering,
        "ts_host_conv_2d_s8",
        "host/conv_2d.h",
        params=HostConv2DParams(image.rows(), matmul),
        inputs=[lowering.operand(input)],
        outputs=[lowering.buffer(output)],
        scratch=[image.scratch(node, lowering)],
        macs=output.elements * taps[0].size,
        variant="host",
        reason=REASON,
    )
