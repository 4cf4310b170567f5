# SPDX-License-Identifier: Apache-2.0
"""Weights, tables and padded images in the order in which the host kernels read them (kernels/host)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tinyserve.compiler.graph.types import DType, Node
from tinyserve.compiler.ops.support import biases
from tinyserve.compiler.ops.support.base import Lowering
from tinyserve.compiler.ops.support.overlap import IntArray
from tinyserve.compiler.ops.support.quantize_params import Requantization
from tinyserve.compiler.ops.support.records import Clamp, quantized_clamp
from tinyserve.compiler.ops.support.window import Window
from tinyserve.compiler.program import Buffer, Constant, Params
from tinyserve.compiler.variants import blocks
from tinyserve.compiler.variants.padded import Extents, PaddedImage, Steps

LANES = 16
QUAD = 4
SLACK = 16
"""TS_HOST_SLACK."""
ALIGNMENT = 64
_MANY = 8 * LANES
_SHIFTED = 128  # inputs are read as int8 + 128


@dataclass(frozen=True)
class HostWeights(Params):
    """The constants of a layer of int8, and what results are moved by and clamped to."""

    offsets: Constant
    weights: Constant
    requant: Constant
    zero_point: int
    activation: Clamp


@dataclass(frozen=True)
class HostMatmul(Params, c_type="ts_host_matmul"):
    runs: int
    run_quads: int
    channels: int
    layer: HostWeights


@dataclass(frozen=True)
class HostImage(Params, c_type="ts_host_image"):
    """An image, and as much of ``zero`` around it as windows read."""

    extents: Extents
    zero: int


@dataclass(frozen=True)
class Rows(Params):
    """How a convolution goes over an image."""

    batches: int
    image: HostImage
    steps: Steps


@dataclass(frozen=True)
class Stretches(Params):
    """How a depthwise convolution goes over an image: ``groups`` of lanes in a row of outputs, of which each
    ``period`` of blocks has the same channels."""

    batches: int
    image: HostImage
    output_height: int
    row_step: int
    groups: int
    group_lanes: int
    group_step: int
    period: int


def quads(rows: npt.NDArray[np.int8]) -> npt.NDArray[np.int8]:
    """[channels][runs][run] as [blocks of 16][runs][run in fours][16][4], padded with zeros."""
    return blocks.in_groups(rows, LANES, QUAD).reshape(-1)


def requantization(node: Node, taps: npt.NDArray[np.int8], factors: Requantization) -> npt.NDArray[np.int32]:
    """[channels][3]: biases for inputs + 128, multipliers, shifts. ``taps`` has the output channels first."""
    channels = len(taps)
    sums = taps.reshape(channels, -1).astype(np.int64).sum(axis=1)
    # Wraps around as the kernels' sums do.
    bias = (biases.folded_bias(node, taps).astype(np.int64) - _SHIFTED * sums) & 0xFFFFFFFF
    every = factors.per_channel(channels)
    columns = (bias.astype(np.uint32).view(np.int32), every.multipliers, every.shifts.astype(np.int32))
    return np.stack(columns, axis=1)


def constants(
    node: Node,
    lowering: Lowering,
    weights: npt.NDArray[np.int8],
    requantization: npt.NDArray[np.int32],
    offsets: list[int],
) -> HostWeights:
    """Of a layer with weights. ``requantization``: [channels][3]."""
    table = blocks.side_by_side(requantization, LANES).reshape(-1)
    name = node.input("weights").name
    return HostWeights(
        offsets=lowering.constant(f"{name}_offsets", np.array(offsets, dtype=np.int32)),
        weights=lowering.constant(f"{name}_host", weights, "in fours, by 16 channels", ALIGNMENT),
        requant=lowering.constant(f"{name}_requant", table, "bias, multiplier, shift, by 16", ALIGNMENT),
        zero_point=node.output.zero_point,
        activation=quantized_clamp(node),
    )


class Image(PaddedImage):
    """As ``ts_host_image``: int8 as bytes of int8 + 128."""

    def __init__(self, node: Node, view: Window) -> None:
        super().__init__(node, view)
        input = node.input("input")
        zero = input.zero_point + _SHIFTED if input.dtype is DType.INT8 else 0
        self._image = HostImage(self.extents(), zero)

    def rows(self) -> Rows:
        """How a convolution goes over it."""
        return Rows(self.view.batches, self._image, self.steps())

    def stretches(self) -> tuple[Stretches, IntArray]:
        """How a depthwise convolution goes over it, and the channel of each lane until they repeat.

        With stride 1 a row of outputs is one stretch of values, otherwise each pixel is: also of so many
        channels, no multiple of 16, that a tail costs little and repeated weights much.
        """
        view, channels = self.view, self.channels
        in_one_row = view.stride_width == 1 and (channels % LANES == 0 or channels < _MANY)
        lanes = math.lcm(channels, LANES) if in_one_row else channels
        stretches = Stretches(
            batches=view.batches,
            image=self._image,
            output_height=view.output_height,
            row_step=view.stride_height * self.width * channels,
            groups=1 if in_one_row else view.output_width,
            group_lanes=view.output_width * channels if in_one_row else channels,
            group_step=view.stride_width * channels,
            period=-(-lanes // LANES),
        )
        return stretches, np.arange(lanes) % channels

    def scratch(self, node: Node, lowering: Lowering, dtype: DType = DType.INT8) -> Buffer:
        """Where the kernel puts it."""
        return scratch(node, lowering, "padded", self.values, dtype)


def scratch(node: Node, lowering: Lowering, role: str, values: int, dtype: DType) -> Buffer:
    """So many values, and what is read beyond them."""
    size = f"TS_HOST_SCRATCH_BYTES({values}, {dtype.c_type})"
    nbytes = (values + SLACK) * dtype.itemsize
    return lowering.scratch(f"{node.output.name}_{role}", nbytes, alignment=16, size=size)
