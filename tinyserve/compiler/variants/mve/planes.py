"""DEPTHWISE_CONV_2D on Helium of any filter, dilation and multiplier: planes of one channel, 16 taps each."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tinyserve.compiler.graph.types import Operator
from tinyserve.compiler.ops.linear.conv_2d import conv_window
from tinyserve.compiler.ops.support import checks
from tinyserve.compiler.ops.support.base import Lowering
from tinyserve.compiler.ops.support.calls import add_call
from tinyserve.compiler.ops.support.quantize_params import convolution_requantization
from tinyserve.compiler.ops.support.window import Window
from tinyserve.compiler.program import Buffer, Overlap, ParamValue
from tinyserve.compiler.variants import Candidate, layers
from tinyserve.compiler.variants.mve import packing

REASON = "dot products of up to 16 taps, channel by channel"
VARIANT = "mve-planes"
_MOST_STRIDE = 4  # along rows: the functions of plane.S
_PLANE_BYTES = 4096
"""Of a plane of several strips; one output row may take more."""
_SIDE_BY_SIDE = 4
_GATHERED = 8
_MOST_COLUMN_STEP = 0xFFFF // (_GATHERED - 1)


@dataclass(frozen=True)
class _Axis:
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
class Planes:
    """How a layer's channels lie in planes. ``turned``: rows are the image's columns."""

    rows: _Axis
    columns: _Axis
    turned: bool

    @classmethod
    def of(cls, view: Window, turned: bool) -> Planes:
        height = _Axis(
            view.input_height, view.output_height, view.filter_height,
            view.stride_height, view.dilation_height, view.pad_top,
        )  # fmt: skip
        width = _Axis(
            view.input_width, view.output_width, view.filter_width,
            view.stride_width, view.dilation_width, view.pad_left,
        )  # fmt: skip
        return cls(width, height, True) if turned else cls(height, width, False)

    @property
    def vectors(self) -> int:
        """Of a row of the filter, dilated taps with zeros between them."""
        return -(-self.columns.reach // packing.LANES)

    @property
    def steps(self) -> int:
        return self.rows.taps * self.vectors

    @property
    def pitch(self) -> int:
        return max(self.columns.pad + self.columns.inputs, self.columns.extent(self.columns.outputs))

    @property
    def strip_rows(self) -> int:
        """Output rows that one plane serves."""
        fitting = (_PLANE_BYTES // self.pitch - self.rows.reach) // self.rows.stride + 1
        return max(1, min(self.rows.outputs, fitting))

    @property
    def plane_rows(self) -> int:
        return self.rows.extent(self.strip_rows)

    @property
    def scratch_bytes(self) -> int:
        """The last group of outputs reads beyond its row."""
        over = self.columns.stride * _SIDE_BY_SIDE + packing.LANES * (self.vectors + 1)
        return self.plane_rows * self.pitch + over

    @property
    def cost(self) -> float:
        """Instructions per input channel and, of that, per output channel: gathering and the rest."""
        groups = -(-self.columns.outputs // _SIDE_BY_SIDE)
        return self.rows.outputs * (groups * (12.0 * self.steps + 14) + 16) + 45

    @property
    def gather_cost(self) -> float:
        strips = -(-self.rows.outputs // self.strip_rows)
        return strips * self.plane_rows * (6.0 * -(-self.columns.inputs // _GATHERED) + 8)

    def weights(self, taps: npt.NDArray[np.int8]) -> npt.NDArray[np.int8]:
        """[rows][columns][channels] as [channels][steps][16]."""
        across = taps.transpose(1, 0, 2) if self.turned else taps
        channels = across.shape[2]
        spread = np.zeros((channels, self.rows.taps, self.vectors * packing.LANES), dtype=np.int8)
        spread[:, :, : self.columns.reach : self.columns.dilation] = across.transpose(2, 0, 1)
        return spread.reshape(-1)

    def table(self) -> npt.NDArray[np.int32]:
        """Per step, its first byte in the plane."""
        rows = np.arange(self.rows.taps, dtype=np.int32)[:, None] * (self.rows.dilation * self.pitch)
        return np.asarray(rows + np.arange(self.vectors, dtype=np.int32) * packing.LANES, np.int32).reshape(
            -1
        )


def candidate(op: Operator, lowering: Lowering) -> Candidate | None:
    """For int8 layers whose factors are below one; None of others."""
    input, weights, output = checks.required(op, 0), checks.required(op, 1), op.outputs[0]
    if not layers.int8_only(op):
        return None
    if not packing.rounding_applies(op, convolution_requantization(op, input, weights, output)):
        return None
    both = [Planes.of(conv_window(op), turned) for turned in (False, True)]
    steps = [input.shape[3] * (input.shape[2] if one.turned else 1) for one in both]
    fitting = [
        one
        for one, step in zip(both, steps, strict=True)
        if one.columns.stride <= _MOST_STRIDE and step <= _MOST_COLUMN_STEP
    ]
    if not fitting:
        return None
    planes = min(fitting, key=lambda one: one.cost)
    each = output.shape[3] * planes.cost + input.shape[3] * planes.gather_cost
    return Candidate(VARIANT, each * input.shape[0], REASON, lambda: _lower(op, lowering, planes))


def _lower(op: Operator, lowering: Lowering, planes: Planes) -> None:
    input, weights, output = checks.required(op, 0), checks.required(op, 1), op.outputs[0]
    assert weights.data is not None
    taps = np.asarray(weights.data.reshape(weights.shape[1:]), np.int8)
    factors = convolution_requantization(op, input, weights, output).per_channel(output.shape[3])
    bias = layers.folded_bias(op, np.moveaxis(taps, 2, 0))
    requant = np.stack([bias, factors.multipliers, factors.shifts], axis=1).astype(np.int32)
    packed = {
        "weights": lowering.constant(
            f"{weights.name}_planes", planes.weights(taps), "see kernels/mve/plane.S"
        ),
        "requant": lowering.constant(
            f"{weights.name}_requant", requant.reshape(-1), "bias, multiplier, shift"
        ),
        "table": lowering.constant(f"{weights.name}_steps", planes.table(), "where steps begin in a plane"),
    }
    source, target = lowering.operand(input), lowering.buffer(output)
    ties = "_ties" if packing.needs_exact_ties(op) else ""
    params: dict[str, ParamValue] = {
        **packed,
        "channel": f"ts_mve_plane_s{planes.columns.stride}{ties}",
        **_fields(op, planes),
        **packing.output_fields(op),
    }
    whole = planes.strip_rows == planes.rows.outputs and input.shape == output.shape
    in_place = isinstance(source, Buffer) and whole
    add_call(
        op, lowering, "ts_mve_depthwise_plane", "mve/depthwise_plane.h", params=params, inputs=[source],
        outputs=[target], scratch=[lowering.scratch(f"{output.name}_plane", planes.scratch_bytes)],
        overlaps=[Overlap(source, target, in_place=True)] if isinstance(source, Buffer) and in_place else [],
        macs=output.elements * weights.shape[1] * weights.shape[2], sources=("mve/plane.S",),
        variant=VARIANT, reason=REASON,
    )  # fmt: skip


def _fields(op: Operator, planes: Planes) -> dict[str, ParamValue]:
    input, output = checks.required(op, 0), op.outputs[0]
    in_row, in_column = _pitches(input.shape, planes.turned)
    out_row, out_column = _pitches(output.shape, planes.turned)
    return {
        "steps": planes.steps,
        "batches": input.shape[0],
        "channels": input.shape[3],
        "depth_multiplier": output.shape[3] // input.shape[3],
        "input_rows": planes.rows.inputs,
        "input_columns": planes.columns.inputs,
        "input_row": in_row,
        "input_column": in_column,
        "input_bytes": input.nbytes // input.shape[0],
        "output_rows": planes.rows.outputs,
        "output_columns": planes.columns.outputs,
        "output_row": out_row,
        "output_column": out_column,
        "output_bytes": output.nbytes // output.shape[0],
        "stride_rows": planes.rows.stride,
        "pad_rows": planes.rows.pad,
        "pad_columns": planes.columns.pad,
        "pitch": planes.pitch,
        "plane_rows": planes.plane_rows,
        "strip_rows": planes.strip_rows,
        "input_zero_point": input.zero_point,
    }


def _pitches(shape: tuple[int, ...], turned: bool) -> tuple[int, int]:
    """Bytes from row to row and from column to column."""
    row, column = shape[2] * shape[3], shape[3]
    return (column, row) if turned else (row, column)
