# SPDX-License-Identifier: Apache-2.0
"""CONV_2D on Armv6-M: five pixels times one channel, inputs widened to words."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tinyserve.compiler.graph.types import DType, Node
from tinyserve.compiler.ops.linear.conv_2d import conv_window
from tinyserve.compiler.ops.support.base import Lowering
from tinyserve.compiler.ops.support.calls import add_call
from tinyserve.compiler.ops.support.overlap import overlaps
from tinyserve.compiler.ops.support.quantize_params import convolution_requantization
from tinyserve.compiler.ops.support.records import Clamp, quantized_clamp
from tinyserve.compiler.program import Params
from tinyserve.compiler.variants import Candidate, layers, sums16
from tinyserve.compiler.variants.thumb1 import conv_2d_s16, packing

PIXELS = 5
TAPS = 4
CHANNEL_BLOCK = 8
_MOST_GROUPS = 4
_PATCHES_BYTES = 1280  # of short rows: more groups share a channel's constants

Ints = npt.NDArray[np.int32]
REASON = "five pixels share each weight; inputs widened to words for LDM"


@dataclass(frozen=True)
class Thumb1Conv2DParams(Params, c_type="ts_thumb1_conv_2d_params"):
    """``groups`` of five pixels are gathered at once."""

    packed: layers.PackedWeights
    shape: layers.ConvolutionFields
    activation: Clamp
    groups: int


def candidates(node: Node, lowering: Lowering) -> list[Candidate]:
    """One candidate for ungrouped int8 convolutions of batch 1 whose accumulators are bounded; int16."""
    input, weights, output = node.input("input"), node.input("weights"), node.output
    if input.dtype is DType.INT16:
        return sums16.candidates(node, lowering, conv_2d_s16.KERNEL)
    taps = layers.convolution_taps(node)
    if taps is None:
        return []
    table = packing.channel_table(node, taps, convolution_requantization(node, input, weights, output))
    if table is None:
        return []
    pixels = layers.rounded_up(output.elements // output.shape[3], PIXELS)
    products = 3.0 * taps.shape[1] * output.shape[3] + 4.5 * taps.shape[1]  # of a pixel, and its gathering
    cost = 2000 + pixels * products + 31.0 * output.elements
    return [Candidate("thumb1", cost, REASON, lambda: _lower(node, lowering, taps, table))]


def _lower(node: Node, lowering: Lowering, taps: npt.NDArray[np.int8], table: Ints) -> None:
    input, output = node.input("input"), node.output
    view = conv_window(node)
    padded = layers.rounded_up(taps.shape[1], TAPS)
    groups = _groups(padded)
    size = f"4 * TS_THUMB1_CONV_2D_SCRATCH_WORDS({taps.shape[1]}, {groups})"
    nbytes = 4 * PIXELS * groups * (padded + CHANNEL_BLOCK)
    patch = lowering.scratch(f"{output.name}_patch", nbytes, size=size)
    source, target = lowering.operand(input), lowering.buffer(output)
    params = Thumb1Conv2DParams(
        packing.layer_constants(node, lowering, packing.unsigned_rows(taps, taps.shape[0], TAPS), table),
        layers.ConvolutionFields.of(node, view),
        quantized_clamp(node),
        groups,
    )
    add_call(
        node,
        lowering,
        "ts_thumb1_conv_2d_s8",
        "thumb1/conv_2d.h",
        params=params,
        inputs=[source],
        outputs=[target],
        scratch=[patch],
        macs=output.elements * taps.shape[1],
        variant="thumb1",
        reason=REASON,
        sources=("thumb1/dots5.S", "thumb1/store.S", "thumb1/widen5.S"),
        overlaps=overlaps(
            source, target, layers.patch_lead(view, PIXELS * groups, input.shape[3], output.shape[3])
        ),
    )


def _groups(taps: int) -> int:
    """How many times five pixels are gathered at once."""
    return max(1, min(_MOST_GROUPS, _PATCHES_BYTES // (4 * PIXELS * taps)))
