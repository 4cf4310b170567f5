# SPDX-License-Identifier: Apache-2.0
"""DEPTHWISE_CONV_2D on Armv6-M: 3x3, one channel's rows widened to words, five outputs at a time."""

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
from tinyserve.compiler.variants.thumb1 import packing, planes

Ints = npt.NDArray[np.int32]
REASON = "rows of one channel widened to words, five outputs share each weight"
_PER_OUTPUT = {1: 75.0, 2: 95.0}
"""Instructions, by stride."""
PLANE_LIMIT_WORDS = 400
SPLIT_LIMIT_WORDS = 850
"""Beyond these, rows waste little and whole channels cost much RAM."""


@dataclass(frozen=True)
class Thumb1DepthwiseConv2DParams(Params, c_type="ts_thumb1_depthwise_conv_2d_params"):
    packed: layers.PackedWeights
    shape: layers.DepthwiseFields
    activation: Clamp


def candidates(node: Node, lowering: Lowering) -> list[Candidate]:
    """3x3 of common strides; planes for every other int8 layer of batch 1. Where both apply, planes took a
    fifth more instructions in each layer of the MLPerf Tiny models, and eight bytes of flash per weight."""
    return _three_by_three(node, lowering) or planes.candidates(node, lowering)


def _three_by_three(node: Node, lowering: Lowering) -> list[Candidate]:
    """One candidate for int8 3x3 of batch 1, stride 1 or 2, multiplier 1, whose accumulators are bounded."""
    input, weights, output = node.input("input"), node.input("weights"), node.output
    taps = layers.depthwise_3x3_taps(node, conv_window(node))
    if taps is None:
        return []
    table = packing.channel_table(node, taps, convolution_requantization(node, input, weights, output))
    if table is None:
        return []
    cost = output.elements * _PER_OUTPUT[conv_window(node).stride_height]
    return [Candidate("thumb1", cost, REASON, lambda: _lower(node, lowering, taps, table))]


def _lower(node: Node, lowering: Lowering, taps: npt.NDArray[np.int8], table: Ints) -> None:
    input, output = node.input("input"), node.output
    view = conv_window(node)
    stride = view.stride_height
    order = [0, 1, 2] if stride == 1 else [0, 2, 1]
    packed = np.ascontiguousarray(taps.reshape(-1, 3, 3)[:, :, order]).reshape(-1)
    layout, words, size = _layout(view)
    scratch = lowering.scratch(f"{output.name}_rows", 4 * words, size=f"4 * {size}")
    source, target = lowering.operand(input), lowering.buffer(output)
    params = Thumb1DepthwiseConv2DParams(
        packing.layer_constants(node, lowering, packed, table),
        layers.DepthwiseFields.of(node, view),
        quantized_clamp(node),
    )
    add_call(
        node,
        lowering,
        f"ts_thumb1_depthwise_conv_2d_{layout}_s8",
        "thumb1/depthwise_conv_2d.h",
        params=params,
        inputs=[source],
        outputs=[target],
        scratch=[scratch],
        macs=output.elements * 9,
        variant="thumb1",
        reason=REASON,
        sources=("thumb1/row5.S", "thumb1/store.S"),
        overlaps=layers.channelwise_overlaps(source, target, view),
    )


def _layout(view: Window) -> tuple[str, int, str]:
    """How a channel is widened, whole where it is small, else row by row; words of scratch, also as the
    header has them."""
    stride = view.stride_height
    same_size = (view.input_height, view.input_width) == (view.output_height, view.output_width)
    if stride == 1 and same_size and view.pad_top == view.pad_left == 1:
        words = _plane_words(view)
        if words <= PLANE_LIMIT_WORDS:
            return "planes", words, f"TS_THUMB1_PLANE_SCRATCH_WORDS({view.input_height}, {view.input_width})"
    if stride == 2 and view.pad_top <= 1 and view.pad_left <= 1:
        words = _split_words(view)
        if words <= SPLIT_LIMIT_WORDS:
            size = f"TS_THUMB1_SPLIT_SCRATCH_WORDS({view.output_height}, {view.output_width})"
            return "split", words, size
    size = f"TS_THUMB1_DEPTHWISE_SCRATCH_WORDS({view.output_width}, {stride})"
    return f"s{stride}", _row_words(view.output_width, stride), size


def _row_words(output_width: int, stride: int) -> int:
    """TS_THUMB1_DEPTHWISE_SCRATCH_WORDS: three widened rows and the sums of one output row."""
    rounded = -(-output_width // 5) * 5
    return 3 * stride * (rounded + 2) + rounded


def _plane_words(view: Window) -> int:
    """TS_THUMB1_PLANE_SCRATCH_WORDS: one widened channel with its border, and its sums."""
    row = view.input_width + 2
    return (view.input_height + 2) * row + 5 + (view.input_height * row + 2) // 5 * 5


def _split_words(view: Window) -> int:
    """TS_THUMB1_SPLIT_SCRATCH_WORDS: one widened channel in four planes, and its sums."""
    row = view.output_width + 1
    return 2 * (2 * view.output_height + 1) * row + 5 + (view.output_height * row + 3) // 5 * 5
