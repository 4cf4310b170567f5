# SPDX-License-Identifier: Apache-2.0
"""DEPTHWISE_CONV_2D 3x3 with SMLAD: rows sorted by channel in scratch, two rows of output at a time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tinyserve.compiler.graph.types import Node
from tinyserve.compiler.ops.linear.conv_2d import conv_window
from tinyserve.compiler.ops.support import biases
from tinyserve.compiler.ops.support.base import Lowering
from tinyserve.compiler.ops.support.calls import add_call
from tinyserve.compiler.ops.support.quantize_params import Requantization, convolution_requantization
from tinyserve.compiler.ops.support.window import Window
from tinyserve.compiler.program import Buffer, Constant, Operand, Overlap, Params
from tinyserve.compiler.variants import Candidate
from tinyserve.compiler.variants.dsp import clamp, packing, planes, scaling

REASON = "SMLAD on neighbouring columns, 4 channels sorted apart at a time"
_SHIFT = 10  # of the scaled products, in depthwise.S
_LANES = 4
_SINGLE_ROW_GAIN = 5000.0
"""Instructions that make up for the flash of the kernel for single rows."""


def candidates(node: Node, lowering: Lowering) -> list[Candidate]:
    """Planes of 4 channels for any int8 layer, and rows sorted by channel for 3x3."""
    return [*planes.candidates(node, lowering), *_strips(node, lowering)]


def _strips(node: Node, lowering: Lowering) -> list[Candidate]:
    """One candidate for int8 3x3, strides 1 or 2, multiplier 1 and at least 4 channels."""
    input, weights, output = node.input("input"), node.input("weights"), node.output
    if (
        not packing.applies(node)
        or weights.shape[3] != input.shape[3]
        or not _LANES <= input.shape[3] < 1 << 15
    ):
        return []
    if not _window_applies(conv_window(node)):
        return []
    factors = convolution_requantization(node, input, weights, output)
    views = [_View.of(conv_window(node), input.shape[3], turned) for turned in (False, True)]
    short = lowering.target.optimize == "ram"
    view = min(views, key=lambda one: (one.scratch_bytes if short else 0, one.cost))
    records = _records(node, view, factors)
    if records is None:
        return []
    return [
        Candidate("dsp", view.cost + clamp.cost(node), REASON, lambda: _lower(node, lowering, view, records))
    ]


def _window_applies(view: Window) -> bool:
    strides = (view.stride_height, view.stride_width)
    return (
        (view.filter_height, view.filter_width) == (3, 3)
        and (view.dilation_height, view.dilation_width) == (1, 1)
        and strides in ((1, 1), (2, 2))
        and max(view.pad_top, view.pad_left) <= 1
        and max(view.batches, view.input_height, view.input_width) < 1 << 14
    )


@dataclass(frozen=True)
class Gather(Params, c_type="ts_dsp_gather"):
    """How a row is gathered: its columns fall into pairs. ``padding``: four zero points."""

    column_step: int
    padding: int
    first_padding: int
    pairs: int
    single: int
    padding_pairs: int


@dataclass(frozen=True)
class DspDepthwiseConv2DParams(Params, c_type="ts_dsp_depthwise_conv_2d_s8_params"):
    """``strip`` and ``last_strip``: the functions of the rows that are computed at a time."""

    gather: Gather
    strip: str
    last_strip: str
    batches: int
    channels: int
    input_rows: int
    input_row_step: int
    input_bytes: int
    output_rows: int
    output_row_step: int
    output_column_step: int
    output_bytes: int
    rows_per_strip: int
    pad_rows: int
    slot_pairs: int
    strip_pairs: int
    odd: int
    rounding: int
    weights: Constant


@dataclass(frozen=True)
class _View:
    """The image as the kernel walks it: by rows, or turned, by columns. Steps are in bytes."""

    turned: bool
    stride: int
    channels: int
    input_rows: int
    input_columns: int
    output_rows: int
    output_columns: int
    pad_rows: int
    pad_columns: int

    @classmethod
    def of(cls, view: Window, channels: int, turned: bool) -> _View:
        sizes = [
            (view.input_height, view.input_width),
            (view.output_height, view.output_width),
            (view.pad_top, view.pad_left),
        ]
        if turned:
            sizes = [(columns, rows) for rows, columns in sizes]
        flat = [size for pair in sizes for size in pair]
        return cls(turned, view.stride_height, channels, *flat)

    @property
    def strips(self) -> int:
        return -(-self.output_rows // 2) if self.stride == 1 else self.output_rows

    @property
    def spared(self) -> float:
        """Instructions that a kernel of its own saves where the last strip of two rows has but one."""
        single = self.stride == 1 and self.output_rows % 2 == 1
        return 10.0 * self.output_columns * self.channels if single else 0.0

    @property
    def slot_pairs(self) -> int:
        """Pairs of columns in a slot: each block of outputs reads its own and the next."""
        return (-(-self.output_columns // 2) if self.stride == 1 else self.output_columns) + 1

    @property
    def scratch_bytes(self) -> int:
        return 4 * (_LANES * 10 + 2 * 8 * self.slot_pairs)

    @property
    def cost(self) -> float:
        """Instructions of one image, for choosing between the two ways."""
        blocks = 25 * self.output_columns + 30 if self.stride == 1 else 17 * self.output_columns + 30
        groups = -(-self.channels // _LANES)
        gather = 26 * self.slot_pairs + 110
        work = gather + self.strips * (gather + _LANES * blocks + 60)
        return groups * work + self.channels * 60.0 - self.spared

    def gather(self, column_step: int, zero_point: int) -> Gather:
        """How rows of ``column_step`` bytes from column to column are gathered."""
        pairs = self.slot_pairs - self.pad_columns
        inside = self.input_columns - self.pad_columns
        whole = min(pairs, inside // 2)
        single = int(inside % 2 == 1 and whole < pairs)
        padding = int(np.full(4, zero_point, np.int8).view("<i4")[0])
        return Gather(column_step, padding, self.pad_columns, whole, single, pairs - whole - single)

    def steps(self, columns: int) -> tuple[int, int]:
        """Bytes between rows and between columns of an image that is ``columns`` wide in memory."""
        along, across = columns * self.channels, self.channels
        return (across, along) if self.turned else (along, across)


def _records(node: Node, view: _View, factors: Requantization) -> npt.NDArray[np.uint16] | None:
    """Nine half-words per channel, or None where a channel has no exact form."""
    weights = node.input("weights").data
    assert weights is not None
    channels = weights.shape[3]
    taps = weights.reshape(3, 3, channels)
    taps = (taps.transpose(2, 1, 0) if view.turned else taps.transpose(2, 0, 1)).reshape(channels, 9)
    bias = biases.exact_folded_bias(node, taps)
    bounds = packing.accumulator_bounds(taps.astype(np.int64).reshape(channels, 9, 1), bias)
    multipliers, shifts = packing.settle(factors, channels, bounds)
    records = np.zeros((channels, 18), dtype=np.int8)
    for channel in range(channels):
        scaled = scaling.scaled(
            taps[channel].astype(np.int64),
            int(bias[channel]),
            int(multipliers[channel]),
            int(shifts[channel]),
            total_shift=_SHIFT,
            relu=node.output.zero_point == -128,
        )
        if scaled is None:
            return None
        records[channel, :9] = taps[channel] if multipliers[channel] else 0
        records[channel, 9] = scaled.exponent
        records[channel, 10:] = np.array([scaled.bias, scaled.multiplier], dtype="<i4").view(np.int8)
    return records.view("<u2").astype(np.uint16)


def _lower(node: Node, lowering: Lowering, view: _View, records: npt.NDArray[np.uint16]) -> None:
    input, weights, output = node.input("input"), node.input("weights"), node.output
    row_step, column_step = view.steps(input.shape[2])
    output_row_step, output_column_step = view.steps(output.shape[2])
    one = view.stride == 1
    single = view.spared > _SINGLE_ROW_GAIN and lowering.target.optimize != "size"
    strip = "ts_dsp_depthwise_3x3_{}" + ("_relu" if output.zero_point == -128 else "")
    params = DspDepthwiseConv2DParams(
        gather=view.gather(column_step, input.zero_point),
        strip=strip.format(f"s{view.stride}"),
        last_strip=strip.format("single" if single else f"s{view.stride}"),
        batches=input.shape[0],
        channels=view.channels,
        input_rows=view.input_rows,
        input_row_step=row_step,
        input_bytes=input.nbytes // max(1, input.shape[0]),
        output_rows=view.output_rows,
        output_row_step=output_row_step,
        output_column_step=output_column_step,
        output_bytes=output.nbytes // max(1, output.shape[0]),
        rows_per_strip=2 if one else 1,
        pad_rows=view.pad_rows,
        slot_pairs=view.slot_pairs,
        strip_pairs=view.output_columns // 2 if one else view.output_columns,
        odd=view.output_columns % 2 if one else 0,
        rounding=2 * output.zero_point + 1,
        weights=lowering.constant(f"{weights.name}_packed", records, "see kernels/dsp/depthwise.S"),
    )
    source, target = lowering.operand(input), lowering.buffer(output)
    size = f"TS_DSP_DEPTHWISE_SCRATCH_BYTES({view.slot_pairs})"
    add_call(
        node, lowering, "ts_dsp_depthwise_conv_2d_s8", "dsp/depthwise_conv_2d.h",
        params=params, inputs=[source], outputs=[target],
        scratch=[lowering.scratch(f"{output.name}_rows", view.scratch_bytes, size=size)],
        overlaps=_overlaps(source, target, view), macs=output.elements * 9,
        sources=("dsp/depthwise.S",), variant="dsp", reason=REASON,
    )  # fmt: skip
    clamp.add_clamp(node, lowering)


def _overlaps(source: Operand, target: Buffer, view: _View) -> list[Overlap]:
    """In place where shapes are equal: two rows are written once the next two have been gathered."""
    same = (view.input_rows, view.input_columns) == (view.output_rows, view.output_columns)
    if isinstance(source, Buffer) and same and view.stride == 1 and view.pad_rows == 1:
        return [Overlap(source, target, in_place=True)]
    return []
