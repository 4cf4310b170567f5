# SPDX-License-Identifier: Apache-2.0
"""What the variants of several instruction sets ask of a layer and say of it in the same words."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tinyserve.compiler.graph.types import DType, Node
from tinyserve.compiler.ops.support.overlap import NOTHING_READ, IntArray, lead_bytes
from tinyserve.compiler.ops.support.quantize_params import activation_range
from tinyserve.compiler.ops.support.records import FloatClamp
from tinyserve.compiler.ops.support.window import Window
from tinyserve.compiler.program import Buffer, Constant, Operand, Overlap, Params


@dataclass(frozen=True)
class PackedWeights(Params):
    """Weights in a kernel's own order, and what brings sums to the output, channel by channel."""

    weights: Constant
    requant: Constant


@dataclass(frozen=True)
class FloatLayer(Params):
    """The constants of a float32 layer whose taps are at ``offsets`` of each other, and a result's bounds."""

    offsets: Constant
    weights: Constant
    bias: Constant
    activation: FloatClamp


@dataclass(frozen=True)
class ConvolutionFields(Params):
    """Shape and zero point of a convolution of one image, as several instruction sets' kernels take it."""

    window: Window
    output_channels: int
    input_zero_point: int

    @classmethod
    def of(cls, node: Node, view: Window) -> ConvolutionFields:
        input = node.input("input")
        return cls(view, node.output.shape[3], input.zero_point)


@dataclass(frozen=True)
class DepthwiseFields(Params, c_type="ts_depthwise_3x3"):
    """A depthwise convolution of one image whose 3x3 filter and stride its kernel knows."""

    input_height: int
    input_width: int
    channels: int
    output_height: int
    output_width: int
    pad_top: int
    pad_left: int
    input_zero_point: int

    @classmethod
    def of(cls, node: Node, view: Window) -> DepthwiseFields:
        input = node.input("input")
        return cls(
            view.input_height, view.input_width, input.shape[3], view.output_height, view.output_width,
            view.pad_top, view.pad_left, input.zero_point,
        )  # fmt: skip


def int8_only(node: Node) -> bool:
    """int8 activations and int8 weights."""
    input, weights = node.input("input"), node.input("weights")
    return input.dtype is DType.INT8 and weights.dtype is DType.INT8


def is_float(node: Node) -> bool:
    """float32 activations and constant weights."""
    return node.input("input").dtype is DType.FLOAT32 and node.input("weights").data is not None


def _is_plain(node: Node) -> bool:
    """int8, batch 1, and as many channels in the weights' last axis as in the input."""
    input, weights = node.input("input"), node.input("weights")
    return int8_only(node) and input.shape[0] == 1 and weights.shape[3] == input.shape[3]


def convolution_taps(node: Node) -> npt.NDArray[np.int8] | None:
    """Weights [output channels][taps] of an ungrouped int8 convolution of batch 1; None of any other."""
    weights = node.input("weights")
    if not _is_plain(node):
        return None
    assert weights.data is not None
    return np.asarray(weights.data.reshape(weights.shape[0], -1))


def depthwise_3x3_taps(node: Node, view: Window) -> npt.NDArray[np.int8] | None:
    """Weights [channels][9] of an int8 depthwise convolution of batch 1 and multiplier 1 that ``is_3x3``.

    None of any other.
    """
    weights = node.input("weights")
    if not _is_plain(node) or not is_3x3(view):
        return None
    assert weights.data is not None
    return np.ascontiguousarray(weights.data.reshape(9, -1).T)


def output_range(node: Node) -> tuple[int, int]:
    """The fused activation's quantized bounds."""
    return activation_range(node, node.attributes.activation, node.output)


def rounded_up(count: int, multiple: int) -> int:
    """The least multiple that is not below ``count``."""
    return -(-count // multiple) * multiple


def is_3x3(view: Window) -> bool:
    """3x3, stride 1 or 2, undilated, padded by at most two."""
    strides = (view.stride_height, view.stride_width)
    return (
        (view.filter_height, view.filter_width) == (3, 3)
        and (view.dilation_height, view.dilation_width) == (1, 1)
        and strides in ((1, 1), (2, 2))
        and view.pad_top <= 2
        and view.pad_left <= 2
    )


def border_pixels(view: Window) -> int:
    """Output pixels whose window reaches over an edge."""
    axes = (
        (view.output_height, view.stride_height, view.pad_top, view.filter_height, view.dilation_height,
         view.input_height),
        (view.output_width, view.stride_width, view.pad_left, view.filter_width, view.dilation_width,
         view.input_width),
    )  # fmt: skip
    inside = 1
    for outputs, stride, pad, taps, dilation, extent in axes:
        starts = np.arange(outputs) * stride - pad
        inside *= int(np.count_nonzero((starts >= 0) & (starts + (taps - 1) * dilation < extent)))
    return view.pixels - inside * view.batches


def channelwise_overlaps(source: Operand, target: Buffer, view: Window) -> list[Overlap]:
    """In place where each output row is written over an input row that was read; channels are apart."""
    same_rows = (view.input_height, view.input_width) == (view.output_height, view.output_width)
    if isinstance(source, Buffer) and same_rows and view.stride_height == 1 and view.pad_top >= 1:
        return [Overlap(source, target, in_place=True)]
    return []


def patch_steps(
    view: Window, pixels: int, input_channels: int, output_channels: int
) -> tuple[IntArray, IntArray]:
    """Of each group of ``pixels`` outputs the first input byte, and where its outputs end."""
    groups = -(-view.pixels // pixels)
    first = np.full(groups * pixels, NOTHING_READ, dtype=np.int64)
    first[: view.pixels] = view.first_reads()
    reads = first.reshape(groups, pixels).min(axis=1) * input_channels
    ends = np.minimum(np.arange(1, groups + 1, dtype=np.int64) * pixels, view.pixels) * output_channels
    return reads, ends


def patch_lead(view: Window, pixels: int, input_channels: int, output_channels: int) -> int:
    """Lead of kernels that copy the inputs of ``pixels`` outputs before they write the first of them."""
    return lead_bytes(*patch_steps(view, pixels, input_channels, output_channels))
