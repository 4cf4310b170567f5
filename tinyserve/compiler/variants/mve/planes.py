# SPDX-License-Identifier: Apache-2.0
"""DEPTHWISE_CONV_2D on Helium of any filter, dilation and multiplier: planes of one channel, 16 taps each."""

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
from tinyserve.compiler.variants import Candidate, layers
from tinyserve.compiler.variants.mve import packing
from tinyserve.compiler.variants.planes import Plane, PlaneFields

REASON = "dot products of up to 16 taps, channel by channel"
VARIANT = "mve-planes"
_MOST_STRIDE = 4  # along rows: the functions of plane.S
_PLANE_BYTES = 4096
_SIDE_BY_SIDE = 4
_GATHERED = 8
_MOST_COLUMN_STEP = 0xFFFF // (_GATHERED - 1)


@dataclass(frozen=True)
class MvePlaneParams(Params, c_type="ts_mve_depthwise_plane_params"):
    """``channel``: the function of a plane's rows."""

    weights: Constant
    requant: Constant
    table: Constant
    channel: str
    steps: int
    output_channels: int
    plane: PlaneFields
    output: packing.MveOutput


def candidate(node: Node, lowering: Lowering) -> Candidate | None:
    """For int8 layers whose factors are below one; None of others."""
    input, weights, output = node.input("input"), node.input("weights"), node.output
    if not layers.int8_only(node):
        return None
    if not packing.rounding_applies(node, convolution_requantization(node, input, weights, output)):
        return None
    both = [Plane.of(conv_window(node), turned, _PLANE_BYTES) for turned in (False, True)]
    steps = [input.shape[3] * (input.shape[2] if one.turned else 1) for one in both]
    fitting = [
        one
        for one, step in zip(both, steps, strict=True)
        if one.columns.stride <= _MOST_STRIDE and step <= _MOST_COLUMN_STEP
    ]
    if not fitting:
        return None
    plane = min(fitting, key=_channel_cost)
    each = output.shape[3] * _channel_cost(plane) + input.shape[3] * _gather_cost(plane)
    return Candidate(VARIANT, each * input.shape[0], REASON, lambda: _lower(node, lowering, plane))


def _vectors(plane: Plane) -> int:
    """Of a row of the filter, dilated taps with zeros between them."""
    return -(-plane.columns.reach // packing.LANES)


def _channel_cost(plane: Plane) -> float:
    """Instructions of an output channel, without gathering."""
    groups = -(-plane.columns.outputs // _SIDE_BY_SIDE)
    steps = plane.rows.taps * _vectors(plane)
    return plane.rows.outputs * (groups * (12.0 * steps + 14) + 16) + 45


def _gather_cost(plane: Plane) -> float:
    """Instructions of an input channel."""
    return plane.strips * plane.plane_rows * (6.0 * -(-plane.columns.inputs // _GATHERED) + 8)


def _weights(plane: Plane, taps: npt.NDArray[np.int8]) -> npt.NDArray[np.int8]:
    """[rows][columns][channels] as [channels][steps][16]."""
    across = taps.transpose(1, 0, 2) if plane.turned else taps
    spread = np.zeros((across.shape[2], plane.rows.taps, _vectors(plane) * packing.LANES), dtype=np.int8)
    spread[:, :, : plane.columns.reach : plane.columns.dilation] = across.transpose(2, 0, 1)
    return spread.reshape(-1)


def _table(plane: Plane) -> npt.NDArray[np.int32]:
    """Per step, its first byte in the plane."""
    rows = np.arange(plane.rows.taps, dtype=np.int32)[:, None] * (plane.rows.dilation * plane.pitch)
    columns = np.arange(_vectors(plane), dtype=np.int32) * packing.LANES
    return np.asarray(rows + columns, np.int32).reshape(-1)


def _lower(node: Node, lowering: Lowering, plane: Plane) -> None:
    input, weights, output = node.input("input"), node.input("weights"), node.output
    assert weights.data is not None
    taps = np.asarray(weights.data.reshape(weights.shape[1:]), np.int8)
    factors = convolution_requantization(node, input, weights, output).per_channel(output.shape[3])
    bias = biases.folded_bias(node, np.moveaxis(taps, 2, 0))
    requant = np.stack([bias, factors.multipliers, factors.shifts], axis=1).astype(np.int32)
    source, target = lowering.operand(input), lowering.buffer(output)
    ties = "_ties" if packing.needs_exact_ties(node) else ""
    name = weights.name
    params = MvePlaneParams(
        weights=lowering.constant(f"{name}_planes", _weights(plane, taps), "see kernels/mve/plane.S"),
        requant=lowering.constant(f"{name}_requant", requant.reshape(-1), "bias, multiplier, shift"),
        table=lowering.constant(f"{name}_steps", _table(plane), "where steps begin in a plane"),
        channel=f"ts_mve_plane_s{plane.columns.stride}{ties}",
        steps=plane.rows.taps * _vectors(plane),
        output_channels=input.shape[3],
        plane=plane.fields(node),
        output=packing.MveOutput.of(node),
    )
    # The last group of outputs reads beyond its row.
    beyond = plane.columns.stride * _SIDE_BY_SIDE + packing.LANES * (_vectors(plane) + 1)
    in_place = isinstance(source, Buffer) and plane.serves_in_place(node)
    stride, vectors = plane.columns.stride, _vectors(plane)
    size = f"TS_MVE_PLANE_SCRATCH_BYTES({plane.plane_rows}, {plane.pitch}, {stride}, {vectors})"
    scratch = lowering.scratch(f"{output.name}_plane", plane.elements + beyond, size=size)
    add_call(
        node, lowering, "ts_mve_depthwise_plane", "mve/depthwise_plane.h", params=params, inputs=[source],
        outputs=[target], scratch=[scratch],
        overlaps=[Overlap(source, target, in_place=True)] if isinstance(source, Buffer) and in_place else [],
        macs=output.elements * weights.shape[1] * weights.shape[2], sources=("mve/plane.S",),
        variant=VARIANT, reason=REASON,
    )  # fmt: skip
