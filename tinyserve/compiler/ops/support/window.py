# SPDX-License-Identifier: Apache-2.0
"""Sliding windows: padding, output size and order of reads of convolutions and pools."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tinyserve.compiler.graph.types import Node, Options
from tinyserve.compiler.ops.support.base import unsupported
from tinyserve.compiler.ops.support.checks import invalid
from tinyserve.compiler.ops.support.overlap import NOTHING_READ, IntArray
from tinyserve.compiler.program import Params

_PADDING = {0: "SAME", 1: "VALID"}
_EXTENT_LIMIT = 1 << 24  # far above any tensor that fits a microcontroller, far below overflow in C


def read_padding(options: Options) -> str:
    """ "SAME" or "VALID"; "?" for a number that the schema does not have."""
    return _PADDING.get(options.int8("padding"), "?")


@dataclass(frozen=True)
class Window(Params, c_type="ts_sliding_window"):
    """A window over [batches][input_height][input_width][input_channels]. Pads are zero points around it."""

    batches: int
    input_height: int
    input_width: int
    input_channels: int
    filter_height: int
    filter_width: int
    output_height: int
    output_width: int
    stride_height: int
    stride_width: int
    dilation_height: int
    dilation_width: int
    pad_top: int
    pad_left: int

    @property
    def pixels(self) -> int:
        """Positions of the window."""
        return self.batches * self.output_height * self.output_width

    def first_reads(self) -> IntArray:
        """Per output pixel, the first input pixel that is read (NOTHING_READ where all taps are padding)."""
        rows = _first_inside(
            self.output_height,
            stride=self.stride_height,
            pad=self.pad_top,
            taps=self.filter_height,
            dilation=self.dilation_height,
            extent=self.input_height,
        )
        columns = _first_inside(
            self.output_width,
            stride=self.stride_width,
            pad=self.pad_left,
            taps=self.filter_width,
            dilation=self.dilation_width,
            extent=self.input_width,
        )
        images = np.arange(self.batches, dtype=np.int64)[:, None, None] * self.input_height
        reads = (images + rows[:, None]) * self.input_width + columns
        nothing = (rows[:, None] >= NOTHING_READ) | (columns >= NOTHING_READ)
        return np.where(nothing, NOTHING_READ, reads).reshape(-1)


def _first_inside(outputs: int, *, stride: int, pad: int, taps: int, dilation: int, extent: int) -> IntArray:
    """Per output position, the first input position that a tap reads."""
    origins = np.arange(outputs, dtype=np.int64) * stride - pad
    tap = np.maximum(0, -(origins // dilation))  # the first that is not before the image
    positions = origins + tap * dilation
    first: IntArray = np.where((tap < taps) & (positions < extent), positions, NOTHING_READ)
    return first


@dataclass(frozen=True)
class ExplicitPads:
    """Padding that a pass has put in place of SAME or VALID."""

    top: int
    bottom: int
    left: int
    right: int


def window(
    node: Node,
    filter_size: tuple[int, int],
    stride: tuple[int, int],
    padding: str,
    *,
    dilation: tuple[int, int] = (1, 1),
    pads: ExplicitPads | None = None,
) -> Window:
    """The window of an operator with rank-4 input 0 and output 0. Sizes are (height, width).

    SAME pads half, rounded down, before: TFLM's ComputePaddingHeightWidth. Raises ModelError where the
    output's shape is not what follows.
    """
    input, output = node.input("input"), node.output
    if any(value < 1 for value in (*filter_size, *stride, *dilation)):
        raise invalid(
            node, f"filter {filter_size}, stride {stride}, dilation {dilation}: all must be at least 1"
        )
    if any(value > _EXTENT_LIMIT for value in (*filter_size, *stride, *dilation, *input.shape)):
        raise unsupported(
            node, "a shape, stride or dilation beyond any microcontroller", "use a smaller model"
        )
    if padding not in ("SAME", "VALID"):
        raise invalid(node, "unknown padding")
    sizes, before = [], []
    for axis in (0, 1):
        ends = None if pads is None else ((pads.top, pads.bottom), (pads.left, pads.right))[axis]
        reach = (filter_size[axis] - 1) * dilation[axis] + 1
        size, pad = _axis_size(input.shape[1 + axis], reach, stride[axis], padding, ends)
        sizes.append(size)
        before.append(pad)
    if output.shape[:3] != (input.shape[0], *sizes):
        raise invalid(
            node,
            f"output has shape {list(output.shape)}, expected {[input.shape[0], *sizes]} and the channels",
        )
    return Window(
        input.shape[0], input.shape[1], input.shape[2], input.shape[3], *filter_size, sizes[0], sizes[1],
        *stride, *dilation, before[0], before[1],
    )  # fmt: skip


def _axis_size(
    extent: int, reach: int, stride: int, padding: str, ends: tuple[int, int] | None
) -> tuple[int, int]:
    """Output size and padding before, along one axis."""
    if ends is not None:
        return (extent + ends[0] + ends[1] - reach) // stride + 1, ends[0]
    if padding == "SAME":
        size = -(-extent // stride)
        return size, max((size - 1) * stride + reach - extent, 0) // 2
    return (extent - reach) // stride + 1, 0
