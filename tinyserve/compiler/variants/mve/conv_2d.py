# SPDX-License-Identifier: Apache-2.0
"""CONV_2D on Helium: three pixels times two channels of VMLADAV."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tinyserve.compiler.graph.types import DType, Node
from tinyserve.compiler.ops.linear.conv_2d import conv_window
from tinyserve.compiler.ops.support import biases
from tinyserve.compiler.ops.support.base import Lowering
from tinyserve.compiler.ops.support.calls import add_call
from tinyserve.compiler.ops.support.overlap import lead_bytes, overlaps
from tinyserve.compiler.ops.support.quantize_params import convolution_requantization
from tinyserve.compiler.ops.support.window import Window
from tinyserve.compiler.program import Params
from tinyserve.compiler.variants import Candidate, layers, sums16
from tinyserve.compiler.variants.mve import conv_2d_s16, packing

PIXELS = 3
SLACK = 16
"""TS_MVE_PATCH_SLACK: short rows are copied by whole vectors."""
REASON = "int8 dot products of 16 lanes"
_UNROLLED = {False: (1, 2, 3, 4, 8, 9), True: (1, 2, 9)}
"""Row lengths in vectors that the header has unrolled functions for, without and with exact ties."""


@dataclass(frozen=True)
class MveConv2DParams(Params, c_type="ts_mve_conv_2d_params"):
    packed: layers.PackedWeights
    shape: layers.ConvolutionFields
    output: packing.MveOutput


def candidates(node: Node, lowering: Lowering) -> list[Candidate]:
    """One candidate for ungrouped int8 convolutions of batch 1 whose factors are below one; int16."""
    input, weights, output = node.input("input"), node.input("weights"), node.output
    if input.dtype is DType.INT16:
        return sums16.candidates(node, lowering, conv_2d_s16.KERNEL)
    taps = layers.convolution_taps(node)
    if taps is None:
        return []
    if not packing.rounding_applies(node, convolution_requantization(node, input, weights, output)):
        return []
    cost = _cost(conv_window(node), output.shape[3], taps.shape[1])
    return [Candidate("mve", cost, REASON, lambda: _lower(node, lowering, taps), PIXELS)]


def _cost(view: Window, channels: int, taps: int) -> float:
    """Instructions: dot products and requantization, and of each patch its rows, more at the edges."""
    blocks = packing.LANES * -(-taps // packing.LANES)
    dots = layers.rounded_up(view.pixels, PIXELS) * channels * (0.16 * blocks + 3.5)
    if _is_pointwise(view):
        return dots
    return (
        dots + view.filter_height * (view.pixels * 8.0 + layers.border_pixels(view) * 24.0) + view.pixels * 20
    )


def _lower(node: Node, lowering: Lowering, taps: npt.NDArray[np.int8]) -> None:
    input, weights, output = node.input("input"), node.input("weights"), node.output
    view = conv_window(node)
    blocks = -(-taps.shape[1] // packing.LANES)
    factors = convolution_requantization(node, input, weights, output)
    table = packing.requantization_table(biases.folded_bias(node, taps), factors)
    pointwise = _is_pointwise(view)
    # A pointwise convolution only copies the pixels whose vectors would end beyond the input.
    needs_patches = not pointwise or input.shape[3] % packing.LANES != 0
    nbytes, size = PIXELS * blocks * packing.LANES + SLACK, f"TS_MVE_CONV_2D_SCRATCH_BYTES({taps.shape[1]})"
    patches = lowering.scratch(f"{output.name}_patches", nbytes, size=size) if needs_patches else None
    source, target = lowering.operand(input), lowering.buffer(output)
    params = MveConv2DParams(
        packing.weight_constants(node, lowering, packing.interleaved(taps, 2), table),
        layers.ConvolutionFields.of(node, view),
        packing.MveOutput.of(node),
    )
    add_call(
        node,
        lowering,
        _function(pointwise, blocks, packing.needs_exact_ties(node)),
        "mve/conv_2d.h",
        params=params,
        inputs=[source],
        outputs=[target],
        scratch=[patches],
        macs=output.elements * taps.shape[1],
        sources=("mve/pixels.S",),
        variant="mve",
        reason=REASON,
        overlaps=overlaps(source, target, _lead(view, input.shape[3], output.shape[3])),
    )


def _is_pointwise(view: Window) -> bool:
    strides = (view.stride_height, view.stride_width)
    return (view.filter_height, view.filter_width) == (1, 1) == strides and view.pad_top == view.pad_left == 0


def _function(pointwise: bool, blocks: int, exact_ties: bool) -> str:
    kind = "pointwise" if pointwise else "patches"
    length = str(blocks) if blocks in _UNROLLED[exact_ties] else "any"
    return f"ts_mve_conv_2d_{kind}_{length}{'_ties' if exact_ties else ''}"


def _lead(view: Window, input_channels: int, output_channels: int) -> int:
    """Three pixels are read, then written.

    Where there is no patch, they are read again for each block of 16 outputs: the first input of the group is
    needed until its last output is written.
    """
    group_reads, ends = layers.patch_steps(view, PIXELS, input_channels, output_channels)
    if not _is_pointwise(view):
        return lead_bytes(group_reads, ends)
    return lead_bytes(np.repeat(group_reads, 2), np.repeat(ends, 2))
