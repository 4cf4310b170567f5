# SPDX-License-Identifier: Apache-2.0
"""DEPTHWISE_CONV_2D of any filter, stride, dilation and multiplier: planes of 4 channels, 2 columns each."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tinyserve.compiler.graph.types import Node
from tinyserve.compiler.ops.linear.conv_2d import conv_window
from tinyserve.compiler.ops.support import biases
from tinyserve.compiler.ops.support.base import Lowering
from tinyserve.compiler.ops.support.calls import add_call
from tinyserve.compiler.ops.support.quantize_params import convolution_requantization
from tinyserve.compiler.program import Buffer, Constant, Overlap, Params
from tinyserve.compiler.variants import Candidate
from tinyserve.compiler.variants.dsp import clamp, packing
from tinyserve.compiler.variants.planes import Plane, PlaneFields

REASON = "SMLAxy on 4 channels x 2 columns, from padded planes"
VARIANT = "dsp-planes"
_LANES = 4
_LANE_ORDER = (0, 2, 1, 3)  # halves of a pixel's two words
_PIXEL_BYTES = 8
_PLANE_PIXELS = 512
_LONGEST_RUN = 10  # taps: LONGEST_RUN in plane.S
_MOST_STRIDE = 4  # along rows: the functions of plane.S


@dataclass(frozen=True)
class DspPlaneParams(Params, c_type="ts_dsp_depthwise_plane_s8_params"):
    """``channels``: the function of a plane's rows."""

    records: Constant
    channels: str
    record_words: int
    runs_words: int
    run: int
    input_channels: int
    output_channels: int
    plane: PlaneFields


def candidates(node: Node, lowering: Lowering) -> list[Candidate]:
    """One candidate for int8 layers; none where a channel has no exact form."""
    input, output = node.input("input"), node.output
    if not packing.applies(node):
        return []
    both = [Plane.of(conv_window(node), turned, _PLANE_PIXELS) for turned in (False, True)]
    fitting = [one for one in both if one.columns.stride <= _MOST_STRIDE]
    if not fitting:
        return []
    multiplier = output.shape[3] // input.shape[3]
    plane = min(fitting, key=lambda one: _cost(one, output.shape[3], multiplier))
    records = _records(node, plane)
    if records is None:
        return []
    cost = _cost(plane, output.shape[3], multiplier) * input.shape[0] + clamp.cost(node)
    return [Candidate(VARIANT, cost, REASON, lambda: _lower(node, lowering, plane, records))]


def _run(plane: Plane) -> tuple[int, int]:
    """Neighbouring taps of a run, and runs of a row of the filter; the last may end in taps of weight 0."""
    if plane.columns.dilation > 1:
        return 1, plane.columns.taps
    runs = -(-plane.columns.taps // _LONGEST_RUN)
    return -(-plane.columns.taps // runs), runs


def _cost(plane: Plane, channels: int, multiplier: int) -> float:
    """Instructions of one image."""
    run, runs = _run(plane)
    groups = -(-channels // _LANES)
    pairs = -(-plane.columns.outputs // 2)
    block = plane.rows.taps * runs * (11.0 * run + 7) + 80
    work = plane.rows.outputs * (pairs * block + 20) + 60
    per_pixel = 6.0 if multiplier == 1 and channels % _LANES == 0 else 10.0
    gather = plane.strips * plane.plane_rows * (per_pixel * plane.columns.inputs + 30) + 60
    gathers = -(-groups // max(1, multiplier // _LANES)) if multiplier % _LANES == 0 else groups
    return groups * work + gathers * gather + 2.0 * plane.elements


def _records(node: Node, plane: Plane) -> npt.NDArray[np.int32] | None:
    """[groups of 4 channels][words], see kernels/dsp/plane.S."""
    input, weights, output = node.input("input"), node.input("weights"), node.output
    assert weights.data is not None
    taps = weights.data.reshape(weights.shape[1:]).astype(np.int64)
    channels = output.shape[3]
    bias = biases.exact_folded_bias(node, np.moveaxis(taps, 2, 0).astype(np.int8))
    bounds = packing.accumulator_bounds(taps.reshape(-1, channels).T[:, :, None], bias)
    factors = convolution_requantization(node, input, weights, output)
    multipliers, shifts = packing.settle(factors, channels, bounds)
    rounding = 2 * output.zero_point + 1
    if not packing.fits_sums(shifts, bounds, rounding):
        return None
    ends = np.stack([multipliers, rounding << (shifts - 1), shifts - 1], axis=1)
    groups = -(-channels // _LANES)
    padded = groups * _LANES - channels
    bias, ends = np.pad(bias, (0, padded)), np.pad(ends, ((0, padded), (0, 0)))
    runs = _runs(plane, np.pad(taps, ((0, 0), (0, 0), (0, padded))))
    parts = (bias.reshape(groups, _LANES), runs, ends.reshape(groups, _LANES * 3))
    return np.concatenate([part.astype(np.int32) for part in parts], axis=1)


def _runs(plane: Plane, taps: npt.NDArray[np.int64]) -> npt.NDArray[np.int32]:
    """[rows][columns][channels] as [groups][runs x (offset, two words per tap)]."""
    run, runs = _run(plane)
    across = taps.transpose(1, 0, 2) if plane.turned else taps
    rows, columns, channels = across.shape
    across = np.pad(across, ((0, 0), (0, run * runs - columns), (0, 0)))
    lanes = across.reshape(rows, runs, run, channels // _LANES, _LANES)[..., list(_LANE_ORDER)]
    halves = lanes.transpose(3, 0, 1, 2, 4).astype(np.int16)
    words = np.ascontiguousarray(halves).view(np.int32).reshape(channels // _LANES, rows, runs, 2 * run)
    row_bytes = plane.rows.dilation * plane.pitch * _PIXEL_BYTES
    run_bytes = run * plane.columns.dilation * _PIXEL_BYTES
    starts = np.arange(rows)[:, None] * row_bytes + np.arange(runs) * run_bytes
    offsets = np.broadcast_to(starts.astype(np.int32)[None, :, :, None], (*words.shape[:3], 1))
    return np.concatenate([offsets, words], axis=3).reshape(len(words), -1)


def _lower(node: Node, lowering: Lowering, plane: Plane, records: npt.NDArray[np.int32]) -> None:
    input, weights, output = node.input("input"), node.input("weights"), node.output
    source, target = lowering.operand(input), lowering.buffer(output)
    relu = "_relu" if output.zero_point == -128 else ""
    run, _ = _run(plane)
    params = DspPlaneParams(
        records=lowering.constant(f"{weights.name}_planes", records, "see kernels/dsp/plane.S"),
        channels=f"ts_dsp_plane_s{plane.columns.stride}{relu}",
        record_words=records.shape[1],
        runs_words=records.shape[1] - 3 * _LANES,
        run=run,
        input_channels=input.shape[3],
        output_channels=output.shape[3],
        plane=plane.fields(node),
    )
    # The last pair of outputs reads a column beyond its row, and taps of weight 0 do.
    beyond = plane.columns.stride + _LONGEST_RUN
    in_place = isinstance(source, Buffer) and plane.serves_in_place(node)
    size = f"TS_DSP_PLANE_SCRATCH_BYTES({plane.plane_rows}, {plane.pitch}, {plane.columns.stride})"
    nbytes = (plane.elements + beyond) * _PIXEL_BYTES
    scratch = lowering.scratch(f"{output.name}_plane", nbytes, size=size)
    add_call(
        node, lowering, "ts_dsp_depthwise_plane_s8", "dsp/depthwise_plane.h", params=params, inputs=[source],
        outputs=[target], scratch=[scratch],
        overlaps=[Overlap(source, target, in_place=True)] if isinstance(source, Buffer) and in_place else [],
        macs=output.elements * weights.shape[1] * weights.shape[2], sources=("dsp/plane.S",),
        variant=VARIANT, reason=REASON,
    )  # fmt: skip
    clamp.add_clamp(node, lowering)
