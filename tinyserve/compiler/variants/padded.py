# SPDX-License-Identifier: Apache-2.0
"""An image with its padding around it: how kernels that copy it once go over windows without borders."""

from __future__ import annotations

from dataclasses import dataclass

from tinyserve.compiler.graph.types import Node
from tinyserve.compiler.ops.support.window import Window
from tinyserve.compiler.program import Params
from tinyserve.compiler.variants import layers


@dataclass(frozen=True)
class Extents(Params):
    """An image, and what it takes with its padding."""

    height: int
    width: int
    channels: int
    pad_top: int
    pad_left: int
    padded_height: int
    padded_width: int


@dataclass(frozen=True)
class Steps(Params):
    """Rows of outputs and their pixels, and how many values of the image further each next one starts."""

    output_height: int
    output_width: int
    row_step: int
    pixel_step: int


class PaddedImage:
    """The input of a window, with as much padding around it as the window reads. Pixels have
    ``channels`` values of the layer's and take ``pixel`` values: whole
    blocks where a kernel goes by ``block`` channels."""

    def __init__(self, node: Node, view: Window, block: int = 1) -> None:
        self.channels = node.input("input").shape[3]
        self.pixel = layers.rounded_up(self.channels, block)
        self.height = max(view.input_height + view.pad_top, _reach(view, 0))
        self.width = max(view.input_width + view.pad_left, _reach(view, 1))
        self.view = view

    @property
    def values(self) -> int:
        return self.height * self.width * self.pixel

    @property
    def needs_padding(self) -> bool:
        inside = (self.view.input_height, self.view.input_width, self.channels)
        return (self.height, self.width, self.pixel) != inside

    def extents(self) -> Extents:
        """Its numbers in C."""
        view = self.view
        return Extents(
            view.input_height, view.input_width, self.channels, view.pad_top, view.pad_left,
            self.height, self.width,
        )  # fmt: skip

    def steps(self) -> Steps:
        """How a convolution goes over it. Pixels that follow each other are one row, or rows would end within
        a group of pixels."""
        view = self.view
        in_one_row = (
            (view.filter_height, view.filter_width) == (1, 1) == (view.stride_height, view.stride_width)
            and not self.needs_padding
            and (view.output_height, view.output_width) == (view.input_height, view.input_width)
        )
        return Steps(
            output_height=1 if in_one_row else view.output_height,
            output_width=view.output_height * view.output_width if in_one_row else view.output_width,
            row_step=view.stride_height * self.width * self.pixel,
            pixel_step=view.stride_width * self.pixel,
        )

    def run_length(self) -> int:
        """Values that taps which are neighbours in the image have in a row."""
        return (self.view.filter_width if self.view.dilation_width == 1 else 1) * self.pixel

    def run_offsets(self) -> list[int]:
        """Of each run of taps from the first."""
        return self.tap_offsets()[:: self.run_length() // self.pixel]

    def tap_offsets(self) -> list[int]:
        """Of each tap of the window from the first, in values of the padded image."""
        view = self.view
        return [
            (y * view.dilation_height * self.width + x * view.dilation_width) * self.pixel
            for y in range(view.filter_height)
            for x in range(view.filter_width)
        ]


def _reach(view: Window, axis: int) -> int:
    """How far from the padding's start the last window reaches, in pixels."""
    outputs = (view.output_height, view.output_width)[axis]
    stride = (view.stride_height, view.stride_width)[axis]
    taps = (view.filter_height, view.filter_width)[axis]
    dilation = (view.dilation_height, view.dilation_width)[axis]
    return (outputs - 1) * stride + (taps - 1) * dilation + 1
