# SPDX-License-Identifier: Apache-2.0
"""3x3 convolutions by Winograd's minimal filtering: 16 products for what takes 36, for 3.6 times the flash.

Exact: the filters are transformed with twice Winograd's G on both sides, which leaves integers and four times
the accumulator. See ``kernels/dsp/winograd.S``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tinyserve.compiler.graph.types import Node
from tinyserve.compiler.ops.linear.conv_2d import conv_window
from tinyserve.compiler.ops.support import biases
from tinyserve.compiler.ops.support.base import Lowering
from tinyserve.compiler.ops.support.calls import add_call
from tinyserve.compiler.ops.support.overlap import lead_bytes, overlaps
from tinyserve.compiler.ops.support.quantize_params import convolution_requantization
from tinyserve.compiler.ops.support.window import Window
from tinyserve.compiler.program import Constant, Params
from tinyserve.compiler.variants import Candidate
from tinyserve.compiler.variants.dsp import clamp, packing
from tinyserve.compiler.variants.dsp.packing import Ints

VARIANT = "dsp-winograd"
REASON = "Winograd F(2x2, 3x3): 16 products for 36, on two tiles x 4 channels with SMLAD"
_G2 = np.array([[2, 0, 0], [1, 1, 1], [1, -1, 1], [0, 0, 2]], dtype=np.int64)
_TILE_ROWS, _PAIR_COLUMNS, _BLOCK = 2, 4, 4
_M_BYTES = 512
_INT32 = 1 << 31


@dataclass(frozen=True)
class Job(Params, c_type="ts_dsp_winograd"):
    """``steps``: pairs of input channels; ``blocks``: quads of output channels. Steps are bytes."""

    steps: int
    blocks: int
    weights: Constant
    records: Constant
    pixel_step: int
    row_step: int


@dataclass(frozen=True)
class WinogradParams(Params, c_type="ts_dsp_conv_2d_winograd_s8_params"):
    """``multiply``: the function of a row of tiles."""

    job: Job
    multiply: str
    height: int
    input_height: int
    pad_top: int
    width: int
    input_channels: int
    input_zero_point: int


@dataclass(frozen=True)
class Filters:
    """What the kernel knows of each channel, and the weights, which are transformed when they are taken."""

    weights: npt.NDArray[np.int8]
    records: npt.NDArray[np.int32]
    relu: bool

    @property
    def nbytes(self) -> int:
        """Flash: 16 int16 in place of 9 int8, and the records."""
        return self.weights.size // 9 * 32 + self.records.nbytes


def filters(node: Node) -> Filters | None:
    """The layer's filters; None where the kernel does not take its shape or a bound is broken."""
    weights, output = node.input("weights"), node.output
    if not _takes(node, conv_window(node)):
        return None
    assert weights.data is not None
    taps = weights.data.reshape(weights.shape[0], -1)
    bias = biases.exact_folded_bias(node, taps)
    bounds = np.abs(bias) + 128 * np.abs(taps.astype(np.int64)).sum(axis=1)
    factors = convolution_requantization(node, node.input("input"), weights, output)
    multipliers, shifts = packing.settle(factors, len(taps), bounds)
    zero_point = output.zero_point
    if not packing.fits_plain(shifts, bounds, bias, 2 * zero_point + 1) or np.any(4 * bounds >= _INT32):
        return None
    relu = zero_point == -128
    rounding = (2 * zero_point + 1) * (1 << (shifts if relu else shifts - 1)) + relu
    records = np.stack([multipliers, shifts if relu else shifts - 1, rounding, 4 * bias], axis=1)
    return Filters(weights.data, records.astype(np.int32).reshape(-1), relu)


def candidate(node: Node, lowering: Lowering, found: Filters) -> Candidate:
    """The layer with these filters."""
    cost = instructions(node) + clamp.cost(node)
    return Candidate(VARIANT, cost, REASON, lambda: _lower(node, lowering, found))


def instructions(node: Node) -> float:
    """Estimated, of one inference."""
    input, output = node.input("input"), node.output
    steps, blocks = input.shape[3] / 2, output.shape[3] / _BLOCK
    groups = output.shape[1] * output.shape[2] / (_TILE_ROWS * _PAIR_COLUMNS)
    return groups * (175 * steps + blocks * (16 * (11 * steps + 14) + 620) + 100)


def _takes(node: Node, view: Window) -> bool:
    input, weights, output = node.input("input"), node.input("weights"), node.output
    return (
        (view.filter_height, view.filter_width) == (3, 3)
        and view.stride_height == view.stride_width == view.dilation_height == view.dilation_width == 1
        and view.pad_left == 1
        and view.pad_top <= 1
        and output.shape[2] == input.shape[2]
        and view.batches == 1
        and view.output_height % _TILE_ROWS == 0
        and view.output_width % _PAIR_COLUMNS == 0
        and weights.shape[3] == input.shape[3]
        and input.shape[3] % 4 == 0
        and output.shape[3] % _BLOCK == 0
    )


def _transformed(weights: npt.NDArray[np.int8]) -> npt.NDArray[np.uint32]:
    """[output channels][3][3][input channels] as [blocks][16][quads][2][4 output channels] words.

    Input channels 0 and 2 of a quad share a word, then 1 and 3, as SXTB16 takes inputs apart.
    """
    channels, depth = weights.shape[0], weights.shape[3]
    scaled: Ints = np.einsum("ik,okld,jl->oijd", _G2, weights.astype(np.int64), _G2)
    quads = scaled.reshape(channels // _BLOCK, _BLOCK, 16, depth // 4, 2, 2)  # [...][half][parity]
    halves = quads.transpose(0, 2, 3, 5, 1, 4) & 0xFFFF  # [block][16][quad][parity][channel][half]
    return packing.unsigned(halves[..., 0] | halves[..., 1] << 16).reshape(-1)


def _lower(node: Node, lowering: Lowering, found: Filters) -> None:
    input, weights, output = node.input("input"), node.input("weights"), node.output
    view, depth, channels = conv_window(node), input.shape[3], output.shape[3]
    see = "see kernels/dsp/winograd.S"
    job = Job(
        steps=depth // 2,
        blocks=channels // _BLOCK,
        weights=lowering.constant(
            f"{weights.name}_winograd", _transformed(found.weights).view(np.int32), see
        ),
        records=lowering.constant(f"{weights.name}_requant", found.records, see),
        pixel_step=channels,
        row_step=channels * view.output_width,
    )
    params = WinogradParams(
        job=job,
        multiply="ts_dsp_winograd_relu_s8" if found.relu else "ts_dsp_winograd_s8",
        height=view.output_height,
        input_height=view.input_height,
        pad_top=view.pad_top,
        width=view.output_width,
        input_channels=depth,
        input_zero_point=input.zero_point,
    )
    source, target = lowering.operand(input), lowering.buffer(output)
    scratch_bytes = 64 * depth + max(_M_BYTES, 24 * depth)
    size = f"TS_DSP_WINOGRAD_SCRATCH_BYTES({depth})"
    add_call(
        node,
        lowering,
        "ts_dsp_conv_2d_winograd_s8",
        "dsp/winograd.h",
        params=params,
        inputs=[source],
        outputs=[target],
        scratch=[lowering.scratch(f"{output.name}_tiles", scratch_bytes, size=size)],
        macs=output.elements * 9 * depth,
        sources=("dsp/winograd.S",),
        variant=VARIANT,
        reason=REASON,
        overlaps=overlaps(source, target, _lead(view, depth, channels)),
    )
    clamp.add_clamp(node, lowering)


def _lead(view: Window, depth: int, channels: int) -> int:
    """Two rows of four pixels are written after their windows have been read."""
    rows = np.arange(0, view.output_height, _TILE_ROWS, dtype=np.int64)[:, None]
    columns = np.arange(0, view.output_width, _PAIR_COLUMNS, dtype=np.int64)[None, :]
    first = np.maximum(rows - view.pad_top, 0) * view.input_width + np.maximum(columns - 1, 0)
    ends = (rows + _TILE_ROWS - 1) * view.output_width + columns + _PAIR_COLUMNS
    return lead_bytes(first.reshape(-1) * depth, ends.reshape(-1) * channels)
