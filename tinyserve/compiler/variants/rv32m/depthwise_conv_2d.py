# SPDX-License-Identifier: Apache-2.0
"""DEPTHWISE_CONV_2D on RV32M: 3x3, weights and window of one channel in registers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tinyserve.compiler.graph.types import Node
from tinyserve.compiler.ops.linear.conv_2d import conv_window
from tinyserve.compiler.ops.support.base import Lowering
from tinyserve.compiler.ops.support.calls import add_call
from tinyserve.compiler.ops.support.quantize_params import convolution_requantization
from tinyserve.compiler.ops.support.records import Clamp, quantized_clamp
from tinyserve.compiler.ops.support.window import Window
from tinyserve.compiler.program import Params
from tinyserve.compiler.variants import Candidate, layers
from tinyserve.compiler.variants.rv32m import packing

REASON = "weights and window of one channel in registers"
BAND_LIMIT_BYTES = 400
"""Of gathered input. Twice as much takes 0.4 % less time with a 48x48 image, and as much more RAM."""


@dataclass(frozen=True)
class Rv32mDepthwiseConv2DParams(Params, c_type="ts_rv32m_depthwise_conv_2d_params"):
    packed: layers.PackedWeights
    shape: layers.DepthwiseFields
    activation: Clamp
    band_rows: int


def candidates(node: Node, lowering: Lowering) -> list[Candidate]:
    """One candidate for int8 3x3 of batch 1, stride 1 or 2, multiplier 1, whose accumulators are bounded."""
    input, weights, output = node.input("input"), node.input("weights"), node.output
    taps = layers.depthwise_3x3_taps(node, conv_window(node))
    if taps is None:
        return []
    table = packing.channel_table(node, taps, convolution_requantization(node, input, weights, output))
    if table is None:
        return []
    cost = output.elements * 50.0
    return [Candidate("rv32m", cost, REASON, lambda: _lower(node, lowering, taps, table))]


def _lower(node: Node, lowering: Lowering, taps: npt.NDArray[np.int8], table: npt.NDArray[np.int32]) -> None:
    input, output = node.input("input"), node.output
    view = conv_window(node)
    rows = _band_rows(view)
    size = f"TS_RV32M_BAND_BYTES({rows}, {view.output_width}, {view.stride_width})"
    band = lowering.scratch(f"{output.name}_band", _band_bytes(view, rows), size=size)
    source, target = lowering.operand(input), lowering.buffer(output)
    params = Rv32mDepthwiseConv2DParams(
        packing.layer_constants(node, lowering, taps.reshape(-1), table),
        layers.DepthwiseFields.of(node, view),
        quantized_clamp(node),
        rows,
    )
    add_call(
        node,
        lowering,
        f"ts_rv32m_depthwise_conv_2d_s{view.stride_height}_s8",
        "rv32m/depthwise_conv_2d.h",
        params=params,
        inputs=[source],
        outputs=[target],
        scratch=[band],
        macs=output.elements * 9,
        variant="rv32m",
        reason=REASON,
        sources=("rv32m/depthwise.S",),
        overlaps=layers.channelwise_overlaps(source, target, view),
    )


def _band_rows(view: Window) -> int:
    """Output rows gathered at once: as many as the limit permits, so that channels are set up seldom."""
    stride = view.stride_height
    rows = (BAND_LIMIT_BYTES // _pitch(view) - 3) // stride + 1
    return min(max(rows, 1), view.output_height)


def _band_bytes(view: Window, rows: int) -> int:
    """TS_RV32M_BAND_BYTES."""
    return ((rows - 1) * view.stride_height + 3) * _pitch(view)


def _pitch(view: Window) -> int:
    return (view.output_width - 1) * view.stride_width + 3
