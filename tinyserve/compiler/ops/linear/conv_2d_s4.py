# SPDX-License-Identifier: Apache-2.0
"""CONV_2D and FULLY_CONNECTED with weights of four bits. Kernels in ``kernels/by_dots/conv_2d_s4.h``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tinyserve.compiler.graph.types import Node
from tinyserve.compiler.ops.support import four_bits
from tinyserve.compiler.ops.support.base import Lowering
from tinyserve.compiler.ops.support.biases import folded_bias
from tinyserve.compiler.ops.support.calls import Kernel, add_call
from tinyserve.compiler.ops.support.overlap import IntArray, lead_bytes, overlaps
from tinyserve.compiler.ops.support.quantize_params import Requantization
from tinyserve.compiler.ops.support.records import Clamp, Factors, quantized_clamp, stored_factors
from tinyserve.compiler.ops.support.window import Window
from tinyserve.compiler.program import Constant, Params

PORTABLE = Kernel("ts_conv_2d_s4", "conv_2d_s4.h", reason="weights of four bits")
BLOCK = 8
"""Channels whose weights are unpacked at a time."""
_MOST_PIXELS, _LEAST_PIXELS = 16, 4
_TILE_BYTES = 2048
"""Scratch that a tile of more than the least pixels may take."""


@dataclass(frozen=True)
class ConvShape(Params):
    """What all kernels are given of a convolution."""

    window: Window
    filter_channels: int
    filters_per_group: int
    output_channels: int


@dataclass(frozen=True)
class Conv2DS4Params(Params, c_type="ts_conv_2d_s4_params"):
    shape: ConvShape
    input_zero_point: int
    output_offset: int
    activation: Clamp
    depth: int
    pixels: int
    gathers: bool
    weights: Constant
    bias: Constant
    requantization: Factors


@dataclass(frozen=True)
class Tiling:
    """Pixels that share what is unpacked, and whether their windows are copied to scratch."""

    depth: int
    pixels: int
    gathers: bool

    @classmethod
    def of(cls, shape: ConvShape) -> Tiling:
        window = shape.window
        taps = window.filter_height * window.filter_width * shape.filter_channels
        depth = -(-taps // 8) * 8
        image = window.output_height * window.output_width
        pixels = min(max(_LEAST_PIXELS, min(_MOST_PIXELS, _TILE_BYTES // max(1, depth))), max(1, image))
        plain = (
            (window.filter_height, window.filter_width) == (1, 1)
            and (window.stride_height, window.stride_width) == (1, 1)
            and (window.output_height, window.output_width) == (window.input_height, window.input_width)
            and window.input_channels == depth
        )
        return cls(depth, pixels, not plain)

    @property
    def scratch_bytes(self) -> int:
        return BLOCK * self.depth + (self.pixels * self.depth if self.gathers else 0)


def rows_of_pixels(pixels: int, depth: int, channels: int) -> ConvShape:
    """A matrix times so many vectors, as a convolution of 1x1."""
    window = Window(1, 1, pixels, depth, 1, 1, 1, pixels, 1, 1, 1, 1, 0, 0)
    return ConvShape(window, depth, channels, channels)


def add(
    node: Node,
    lowering: Lowering,
    shape: ConvShape,
    factors: Requantization,
    kernel: Kernel = PORTABLE,
    *,
    macs: int,
    sources: Sequence[str] = (),
) -> None:
    """Appends the call of ``kernel`` for a layer whose weights, channels first, are values of four bits."""
    input, weights, output = node.input("input"), node.input("weights"), node.output
    assert weights.data is not None
    rows, tiling = weights.data.reshape(shape.output_channels, -1), Tiling.of(shape)
    bias = lowering.constant(f"{weights.name}_bias", folded_bias(node, rows), "with the input's zero point")
    params = Conv2DS4Params(
        shape=shape,
        input_zero_point=input.zero_point,
        output_offset=output.zero_point,
        activation=quantized_clamp(node),
        depth=tiling.depth,
        pixels=tiling.pixels,
        gathers=tiling.gathers,
        weights=lowering.constant(f"{weights.name}_4bit", four_bits.packed(rows), "eight weights in a word"),
        bias=bias,
        requantization=stored_factors(lowering, weights.name, factors),
    )
    source, target = lowering.operand(input), lowering.buffer(output)
    size = f"TS_CONV_2D_S4_SCRATCH({tiling.depth}, {tiling.pixels}, {int(tiling.gathers)})"
    add_call(
        node, lowering, kernel.function, kernel.header, params=params, inputs=[source], outputs=[target],
        scratch=[lowering.scratch(f"{output.name}_tile", tiling.scratch_bytes, size=size)],
        overlaps=overlaps(source, target, _lead(shape, tiling)),
        macs=macs, sources=tuple(sources), variant=kernel.variant, reason=kernel.reason,
    )  # fmt: skip


def _lead(shape: ConvShape, tiling: Tiling) -> int:
    """Tiles do not span images. One that is copied as a whole is not read again once an output is written;
    any other is until its last output."""
    reads = shape.window.first_reads().reshape(shape.window.batches, -1)
    pixels = reads.shape[1]
    starts = np.arange(0, pixels, tiling.pixels)
    if not starts.size:
        return 0
    first = np.minimum.reduceat(reads, starts, axis=1).reshape(-1) * shape.window.input_channels
    images: IntArray = np.arange(len(reads), dtype=np.int64)[:, None] * pixels
    ends = (np.append(starts[1:], pixels) + images).reshape(-1) * shape.output_channels
    if tiling.gathers and shape.filters_per_group == shape.output_channels:
        return lead_bytes(first, ends)
    return lead_bytes(np.repeat(first, 2), np.stack([ends - 1, ends], axis=1).reshape(-1))
