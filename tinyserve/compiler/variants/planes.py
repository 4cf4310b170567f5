# SPDX-License-Identifier: Apache-2.0
"""Depthwise convolutions whose inputs are gathered into padded planes: sizes, by rows or by columns."""

from __future__ import annotations

from dataclasses import dataclass

from tinyserve.compiler.graph.types import Node
from tinyserve.compiler.ops.support.window import Window
from tinyserve.compiler.program import Params


@dataclass(frozen=True)
class PlaneFields(Params):
    """Sizes of a plane. Steps are in bytes of int8."""

    batches: int
    depth_multiplier: int
    input_rows: int
    input_columns: int
    input_row_step: int
    input_column_step: int
    input_bytes: int
    output_rows: int
    output_columns: int
    output_row_step: int
    output_column_step: int
    output_bytes: int
    stride_rows: int
    pad_rows: int
    pad_columns: int
    pitch: int
    plane_rows: int
    strip_rows: int
    input_zero_point: int


@dataclass(frozen=True)
class Axis:
    """One direction of the window: sizes in elements."""

    inputs: int
    outputs: int
    taps: int
    stride: int
    dilation: int
    pad: int

    @property
    def reach(self) -> int:
        """Inputs from an output's first tap to its last."""
        return (self.taps - 1) * self.dilation + 1

    def extent(self, outputs: int) -> int:
        """Inputs that so many outputs read, with padding."""
        return (outputs - 1) * self.stride + self.reach


@dataclass(frozen=True)
class Plane:
    """How the inputs of a channel (or several) lie. ``turned``: rows are the image's columns.

    ``most``: elements of a plane of several strips of output rows; one output row may take more.
    """

    rows: Axis
    columns: Axis
    turned: bool
    most: int

    @classmethod
    def of(cls, view: Window, turned: bool, most: int) -> Plane:
        height = Axis(
            view.input_height, view.output_height, view.filter_height,
            view.stride_height, view.dilation_height, view.pad_top,
        )  # fmt: skip
        width = Axis(
            view.input_width, view.output_width, view.filter_width,
            view.stride_width, view.dilation_width, view.pad_left,
        )  # fmt: skip
        return cls(width, height, True, most) if turned else cls(height, width, False, most)

    @property
    def pitch(self) -> int:
        """Elements of a row."""
        return max(self.columns.pad + self.columns.inputs, self.columns.extent(self.columns.outputs))

    @property
    def strip_rows(self) -> int:
        """Output rows that one plane serves."""
        fitting = (self.most // self.pitch - self.rows.reach) // self.rows.stride + 1
        return max(1, min(self.rows.outputs, fitting))

    @property
    def strips(self) -> int:
        return -(-self.rows.outputs // self.strip_rows)

    @property
    def plane_rows(self) -> int:
        return self.rows.extent(self.strip_rows)

    @property
    def elements(self) -> int:
        return self.plane_rows * self.pitch

    def serves_in_place(self, node: Node) -> bool:
        """Whether all of a channel has been gathered before the first of its outputs is written."""
        return self.strips == 1 and node.input("input").shape == node.output.shape

    def fields(self, node: Node) -> PlaneFields:
        """What the kernels are given of it."""
        input, output = node.input("input"), node.output
        in_row, in_column = byte_steps(input.shape, self.turned)
        out_row, out_column = byte_steps(output.shape, self.turned)
        return PlaneFields(
            batches=input.shape[0],
            depth_multiplier=output.shape[3] // input.shape[3],
            input_rows=self.rows.inputs,
            input_columns=self.columns.inputs,
            input_row_step=in_row,
            input_column_step=in_column,
            input_bytes=input.nbytes // input.shape[0],
            output_rows=self.rows.outputs,
            output_columns=self.columns.outputs,
            output_row_step=out_row,
            output_column_step=out_column,
            output_bytes=output.nbytes // output.shape[0],
            stride_rows=self.rows.stride,
            pad_rows=self.rows.pad,
            pad_columns=self.columns.pad,
            pitch=self.pitch,
            plane_rows=self.plane_rows,
            strip_rows=self.strip_rows,
            input_zero_point=input.zero_point,
        )


def byte_steps(shape: tuple[int, ...], turned: bool) -> tuple[int, int]:
    """Bytes from row to row and from column to column."""
    row, column = shape[2] * shape[3], shape[3]
    return (column, row) if turned else (row, column)
