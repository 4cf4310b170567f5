# SPDX-License-Identifier: Apache-2.0
"""CONV_2D float32: two pixels times four channels in FPU registers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tinyserve.compiler.graph.types import Node
from tinyserve.compiler.ops.linear.conv_2d import conv_window
from tinyserve.compiler.ops.support import biases
from tinyserve.compiler.ops.support.base import Lowering
from tinyserve.compiler.ops.support.calls import add_call
from tinyserve.compiler.ops.support.overlap import lead_bytes, overlaps
from tinyserve.compiler.ops.support.records import FloatClamp, float_clamp
from tinyserve.compiler.ops.support.window import Window
from tinyserve.compiler.program import Constant, Params
from tinyserve.compiler.variants import Candidate, blocks, layers

REASON = "2 pixels by 4 channels in FPU registers"
_GROUP = 4
_PIXELS = 2
_ITEM = 4


@dataclass(frozen=True)
class FpuConv2DParams(Params, c_type="ts_fpu_conv_2d_f32_params"):
    weights: Constant
    bias: Constant
    window: Window
    output_channels: int
    activation: FloatClamp


def candidates(node: Node, lowering: Lowering) -> list[Candidate]:
    """One candidate for ungrouped, undilated float32 convolutions with constant weights."""
    input, weights = node.input("input"), node.input("weights")
    if not layers.is_float(node) or weights.shape[3] != input.shape[3]:
        return []
    view = conv_window(node)
    if (view.dilation_height, view.dilation_width) != (1, 1):
        return []
    macs = node.output.elements * weights.elements // weights.shape[0]
    return [Candidate("fpu", 3.2 * macs, REASON, lambda: _lower(node, lowering))]


def _lower(node: Node, lowering: Lowering) -> None:
    input, weights, output = node.input("input"), node.input("weights"), node.output
    assert weights.data is not None
    channels = weights.shape[0]
    bias = blocks.whole(biases.bias(node, channels, np.float32), _GROUP)
    view = conv_window(node)
    packed = blocks.side_by_side(weights.data.reshape(channels, -1), _GROUP).reshape(-1)
    params = FpuConv2DParams(
        weights=lowering.constant(f"{weights.name}_packed", packed, "see kernels/fpu/conv_2d.h"),
        bias=lowering.constant(f"{weights.name}_bias", bias),
        window=view,
        output_channels=channels,
        activation=float_clamp(node.attributes.activation),
    )
    source, target = lowering.operand(input), lowering.buffer(output)
    add_call(
        node, lowering, "ts_fpu_conv_2d_f32", "fpu/conv_2d.h", params=params, inputs=[source],
        outputs=[target], overlaps=overlaps(source, target, _lead(view, input.shape[3], channels)),
        macs=output.elements * weights.elements // channels, variant="fpu", reason=REASON,
    )  # fmt: skip


def _lead(view: Window, input_channels: int, output_channels: int) -> int:
    """A pixel's inputs are read until the channels of its right neighbour are written."""
    reads = view.first_reads() * input_channels
    pixels = np.arange(view.pixels, dtype=np.int64)
    ends = np.minimum(pixels + _PIXELS, view.pixels) * output_channels
    return lead_bytes(np.repeat(reads, 2) * _ITEM, np.repeat(ends, 2) * _ITEM)
