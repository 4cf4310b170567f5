# SPDX-License-Identifier: Apache-2.0
"""CONV_2D float32: two pixels times four channels in FPU registers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tinyserve.compiler.graph.types import DType, Node
from tinyserve.compiler.ops.linear.conv_2d import conv_window
from tinyserve.compiler.ops.support.base import Lowering
from tinyserve.compiler.ops.support.calls import add_call
from tinyserve.compiler.ops.support.overlap import lead_bytes, overlaps
from tinyserve.compiler.ops.support.records import FloatClamp, float_clamp
from tinyserve.compiler.ops.support.window import PlainWindow, Window
from tinyserve.compiler.program import Constant, Params
from tinyserve.compiler.variants import Candidate

REASON = "2 pixels by 4 channels in FPU registers"
_GROUP = 4
_PIXELS = 2
_ITEM = 4


@dataclass(frozen=True)
class FpuConv2DParams(Params, c_type="ts_conv_2d_fpu_f32_params"):
    weights: Constant
    bias: Constant
    window: PlainWindow
    input_channels: int
    output_channels: int
    clamp: FloatClamp


def candidates(node: Node, lowering: Lowering) -> list[Candidate]:
    """One candidate for ungrouped, undilated float32 convolutions with constant weights."""
    input, weights = node.input("input"), node.input("weights")
    if input.dtype is not DType.FLOAT32 or weights.data is None or weights.shape[3] != input.shape[3]:
        return []
    view = conv_window(node)
    if (view.dilation_height, view.dilation_width) != (1, 1):
        return []
    macs = node.output.elements * weights.elements // weights.shape[0]
    return [Candidate("fpu", 3.2 * macs, REASON, lambda: _lower(node, lowering))]


def _packed(rows: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """[channels][values] as [groups of 4 channels][values][4]; missing channels are zeros."""
    groups = -(-len(rows) // _GROUP)
    padded = np.zeros((groups * _GROUP, rows.shape[1]), dtype=np.float32)
    padded[: len(rows)] = rows
    return np.ascontiguousarray(padded.reshape(groups, _GROUP, -1).transpose(0, 2, 1)).reshape(-1)


def _lower(node: Node, lowering: Lowering) -> None:
    input, weights, output = node.input("input"), node.input("weights"), node.output
    assert weights.data is not None
    bias = node.optional("bias")
    channels = weights.shape[0]
    start = np.zeros(channels, np.float32) if bias is None or bias.data is None else bias.data.reshape(-1)
    view = conv_window(node)
    packed = _packed(weights.data.reshape(channels, -1).astype(np.float32))
    params = FpuConv2DParams(
        weights=lowering.constant(f"{weights.name}_packed", packed, "see kernels/fpu/conv_2d.h"),
        bias=lowering.constant(f"{weights.name}_bias", _packed(start.reshape(-1, 1).astype(np.float32))),
        window=view.plain(),
        input_channels=input.shape[3],
        output_channels=channels,
        clamp=float_clamp(node.attributes.activation),
    )
    source, target = lowering.operand(input), lowering.buffer(output)
    add_call(
        node, lowering, "ts_conv_2d_fpu_f32", "fpu/conv_2d.h", params=params, inputs=[source],
        outputs=[target], overlaps=overlaps(source, target, _lead(view, input.shape[3], channels)),
        macs=output.elements * weights.elements // channels, variant="fpu", reason=REASON,
    )  # fmt: skip


def _lead(view: Window, input_channels: int, output_channels: int) -> int:
    """A pixel's inputs are read until the channels of its right neighbour are written."""
    reads = view.first_reads() * input_channels
    pixels = np.arange(view.pixels, dtype=np.int64)
    ends = np.minimum(pixels + _PIXELS, view.pixels) * output_channels
    return lead_bytes(np.repeat(reads, 2) * _ITEM, np.repeat(ends, 2) * _ITEM)
