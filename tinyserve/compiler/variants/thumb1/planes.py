# SPDX-License-Identifier: Apache-2.0
"""DEPTHWISE_CONV_2D on Armv6-M of any filter, stride, dilation and multiplier: planes of one channel in
words, five outputs at a time."""

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
from tinyserve.compiler.program import Buffer, Constant, Overlap, Params
from tinyserve.compiler.variants import Candidate, layers
from tinyserve.compiler.variants.planes import Plane, byte_steps
from tinyserve.compiler.variants.thumb1 import packing

Ints = npt.NDArray[np.int32]
REASON = "one channel widened to words, five outputs share each weight"
VARIANT = "thumb1-planes"
_PLANE_WORDS = 768
_GROUP = 5


@dataclass(frozen=True)
class Thumb1PlaneParams(Params, c_type="ts_thumb1_depthwise_plane_params"):
    """``one_run``: whether a strip is summed at once, with what lies between its rows."""

    taps: Constant
    requant: Constant
    places: Constant
    tap_count: int
    input_channels: int
    depth_multiplier: int
    input_rows: int
    whole: int
    extra: int
    input_row_step: int
    input_column_step: int
    output_rows: int
    output_columns: int
    output_row_step: int
    output_column_step: int
    stride_rows: int
    stride_columns: int
    pad_rows: int
    pitch: int
    row_plane: int
    column_plane: int
    plane_words: int
    plane_rows: int
    strip_rows: int
    one_run: int
    groups: int
    last_groups: int
    input_zero_point: int
    activation: Clamp


@dataclass(frozen=True)
class _Split:
    """A plane whose rows and columns are split by their remainders by the strides."""

    plane: Plane

    @property
    def pitch(self) -> int:
        return -(-self.plane.pitch // self.plane.columns.stride)

    @property
    def row_plane(self) -> int:
        """Words from one remainder's rows to the next one's."""
        return -(-self.plane.plane_rows // self.plane.rows.stride) * self.pitch

    @property
    def column_plane(self) -> int:
        return self.row_plane * self.plane.rows.stride

    @property
    def row_sums(self) -> int:
        """Sums of a row of outputs by itself."""
        return layers.rounded_up(self.plane.columns.outputs, _GROUP)

    @property
    def run_sums(self) -> int:
        """Sums of a strip as one run."""
        return layers.rounded_up(
            (self.plane.strip_rows - 1) * self.pitch + self.plane.columns.outputs, _GROUP
        )

    @property
    def one_run(self) -> bool:
        return self.run_sums < self.plane.strip_rows * self.row_sums

    @property
    def sums(self) -> int:
        return self.run_sums if self.one_run else self.plane.strip_rows * self.row_sums

    def groups(self, rows: int) -> int:
        """Fives of sums of a run: of ``rows`` rows, or of one."""
        run = (rows - 1) * self.pitch if self.one_run else 0
        return -(-(run + self.plane.columns.outputs) // _GROUP)

    def places(self) -> Ints:
        """Words from a row's start to its first inputs, one per remainder."""
        columns = self.plane.columns
        at = columns.pad + np.arange(columns.stride)
        return np.asarray(at % columns.stride * self.column_plane + at // columns.stride, np.int32)

    @property
    def words(self) -> int:
        """Of the plane, with what the last group reads beyond its last tap."""
        return self.column_plane * self.plane.columns.stride + _GROUP

    def cost(self, multiplier: int) -> float:
        """Instructions of an input channel."""
        plane = self.plane
        taps, outputs = plane.rows.taps * plane.columns.taps, plane.rows.outputs * plane.columns.outputs
        groups = plane.strips * self.sums / _GROUP
        each = groups * (16.0 * taps + 16) + plane.strips * 120 + 18.0 * outputs
        calls = plane.strips if self.one_run else plane.rows.outputs
        rows = plane.strips * plane.plane_rows
        gather = rows * (40.0 * plane.columns.stride + 50) + 4.0 * rows * plane.columns.inputs
        return gather + multiplier * (each + 50.0 * calls)

    def offsets(self) -> Ints:
        """Bytes to each tap's input, by rows of the filter."""
        plane = self.plane
        found = []
        for axis, step, sub in (
            (plane.rows, self.pitch, self.row_plane),
            (plane.columns, 1, self.column_plane),
        ):
            at = np.arange(axis.taps) * axis.dilation
            found.append(at % axis.stride * sub + at // axis.stride * step)
        return np.asarray(4 * (found[0][:, None] + found[1]), np.int32)


def candidates(node: Node, lowering: Lowering) -> list[Candidate]:
    """One candidate for int8 layers of batch 1 whose accumulators are bounded."""
    input, weights, output = node.input("input"), node.input("weights"), node.output
    if not layers.int8_only(node) or input.shape[0] != 1:
        return []
    assert weights.data is not None
    taps = np.asarray(np.moveaxis(weights.data.reshape(weights.shape[1:]), 2, 0), np.int8)
    table = packing.channel_table(node, taps, convolution_requantization(node, input, weights, output))
    if table is None:
        return []
    multiplier = output.shape[3] // input.shape[3]
    both = [_Split(Plane.of(conv_window(node), turned, _PLANE_WORDS)) for turned in (False, True)]
    split = min(both, key=lambda one: one.cost(multiplier))
    cost = input.shape[3] * split.cost(multiplier) + 3.0 * split.words
    return [Candidate(VARIANT, cost, REASON, lambda: _lower(node, lowering, split, taps, table))]


def _taps(split: _Split, taps: npt.NDArray[np.int8]) -> Ints:
    """[channels][rows][columns] weights as [channels][taps][weight, offset]."""
    across = taps.transpose(0, 2, 1) if split.plane.turned else taps
    weights = across.reshape(len(taps), -1).astype(np.int32)
    offsets = np.broadcast_to(split.offsets().reshape(-1), weights.shape)
    return np.stack([weights, offsets], axis=2).reshape(-1)


def _lower(node: Node, lowering: Lowering, split: _Split, taps: npt.NDArray[np.int8], table: Ints) -> None:
    input, weights, output = node.input("input"), node.input("weights"), node.output
    plane, name = split.plane, weights.name
    in_row, in_column = byte_steps(input.shape, plane.turned)
    out_row, out_column = byte_steps(output.shape, plane.turned)
    source, target = lowering.operand(input), lowering.buffer(output)
    params = Thumb1PlaneParams(
        taps=lowering.constant(f"{name}_taps", _taps(split, taps), "weights and places of their inputs"),
        requant=lowering.constant(f"{name}_requant", table, "kind, four limbs, offset, shift, bias"),
        places=lowering.constant(f"{name}_places", split.places(), "of the first inputs of a row"),
        tap_count=plane.rows.taps * plane.columns.taps,
        input_channels=input.shape[3],
        depth_multiplier=output.shape[3] // input.shape[3],
        input_rows=plane.rows.inputs,
        whole=plane.columns.inputs // plane.columns.stride,
        extra=plane.columns.inputs % plane.columns.stride,
        input_row_step=in_row,
        input_column_step=in_column,
        output_rows=plane.rows.outputs,
        output_columns=plane.columns.outputs,
        output_row_step=out_row,
        output_column_step=out_column,
        stride_rows=plane.rows.stride,
        stride_columns=plane.columns.stride,
        pad_rows=plane.rows.pad,
        pitch=split.pitch,
        row_plane=split.row_plane,
        column_plane=split.column_plane,
        plane_words=split.words,
        plane_rows=plane.plane_rows,
        strip_rows=plane.strip_rows,
        one_run=int(split.one_run),
        groups=split.groups(plane.strip_rows),
        last_groups=split.groups((plane.rows.outputs - 1) % plane.strip_rows + 1),
        input_zero_point=input.zero_point,
        activation=quantized_clamp(node),
    )
    in_place = isinstance(source, Buffer) and plane.serves_in_place(node)
    size = f"TS_THUMB1_DEPTHWISE_PLANE_SCRATCH_BYTES({split.words}, {split.sums})"
    add_call(
        node, lowering, "ts_thumb1_depthwise_plane_s8", "thumb1/depthwise_plane.h", params=params,
        inputs=[source], outputs=[target],
        scratch=[lowering.scratch(f"{output.name}_plane", 4 * (split.words + split.sums), size=size)],
        overlaps=[Overlap(source, target, in_place=True)] if isinstance(source, Buffer) and in_place else [],
        macs=output.elements * weights.shape[1] * weights.shape[2],
        sources=("thumb1/taps5.S", "thumb1/store.S"), variant=VARIANT, reason=REASON,
    )  # fmt: skip
