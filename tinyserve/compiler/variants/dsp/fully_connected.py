# SPDX-License-Identifier: Apache-2.0
"""FULLY_CONNECTED with SMLAD: 8 channels at a time where one multiplier serves all, else as a convolution."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tinyserve.compiler.graph.types import Node
from tinyserve.compiler.ops.linear.fully_connected import Matrix, matrix_of
from tinyserve.compiler.ops.support import biases
from tinyserve.compiler.ops.support.base import Lowering
from tinyserve.compiler.ops.support.calls import add_call
from tinyserve.compiler.ops.support.overlap import lead_bytes, overlaps
from tinyserve.compiler.ops.support.quantize_params import convolution_requantization
from tinyserve.compiler.program import Constant, Params
from tinyserve.compiler.variants import Candidate, dots
from tinyserve.compiler.variants.dsp import clamp, conv_2d, packing

REASON = "SMLAD on four taps x 8 channels, two weights per half-word"
GROUP = 8
"""Channels at a time."""


@dataclass(frozen=True)
class Job(Params, c_type="ts_dsp_fully_connected"):
    """``quads`` of inputs and a ``tail`` of 0 to 3."""

    quads: int
    tail: int
    weights: Constant
    groups: int
    multiplier: int
    rounding: int
    shift: int


@dataclass(frozen=True)
class DspFullyConnectedParams(Params, c_type="ts_dsp_fully_connected_s8_params"):
    """``overlapping``: 1 where the last group of channels begins in the one before it."""

    job: Job
    matrix: Matrix
    group_words: int
    overlapping: int


def candidates(node: Node, lowering: Lowering) -> list[Candidate]:
    """Rows of weights as they are; for int8 also groups of 8 channels and a convolution of one pixel."""
    input, weights = node.input("input"), node.input("weights")
    found = dots.fully_connected(node, lowering, dots.DSP)
    if weights.data is None or not packing.applies(node):
        return found
    depth, batches = weights.shape[1], input.elements // weights.shape[1]
    taps = weights.data.reshape(weights.shape)
    packed = _packed(node, taps)
    if packed is not None:
        cost = batches * len(packed) * (1.0 * depth * GROUP + 75) + clamp.cost(node)
        found.append(Candidate("dsp", cost, REASON, lambda: _lower(node, lowering, packed)))
    factors = convolution_requantization(node, input, weights, node.output)
    steps = packing.in_steps(taps, depth)
    product = packing.matmul(node, steps, biases.exact_folded_bias(node, taps), factors)
    if product is not None:
        cost = conv_2d.pointwise_cost(batches, product) + clamp.cost(node)
        found.append(
            Candidate("dsp", cost, conv_2d.REASON, lambda: _lower_pointwise(node, lowering, product))
        )
    return found


def _packed(node: Node, taps: npt.NDArray[np.int8]) -> npt.NDArray[np.uint32] | None:
    """[groups][words]; a last group may overlap its neighbour. None where the sums would not be exact."""
    input, weights, output = node.input("input"), node.input("weights"), node.output
    channels, depth = taps.shape
    factors = convolution_requantization(node, input, weights, output)
    if factors.multipliers.size != 1 or channels < GROUP:
        return None
    bias = biases.exact_folded_bias(node, taps)
    bounds = packing.accumulator_bounds(packing.in_steps(taps, depth), bias)
    if not packing.fits_plain(-factors.shifts.astype(np.int64), bounds, bias, 2 * output.zero_point + 1):
        return None
    starts = [*range(0, channels - GROUP + 1, GROUP)]
    starts += [channels - GROUP] if channels % GROUP else []
    return groups(taps, bias, starts)


def groups(
    taps: npt.NDArray[np.int8], bias: packing.Ints, starts: Sequence[int]
) -> npt.NDArray[np.uint32] | None:
    """[starts][words] of the groups of 8 channels from each of ``starts`` on. None where the sums would not
    be exact."""
    depth = taps.shape[1]
    padded = np.zeros((len(taps), -(-depth // 4) * 4), np.int8)
    padded[:, :depth] = taps
    steps = packing.in_steps(padded, padded.shape[1])
    bounds = packing.accumulator_bounds(steps, bias)
    found = []
    for start in starts:
        words = packing.paired(steps[start : start + GROUP], bounds[start : start + GROUP])
        if words is None:
            return None
        in_order = words.reshape(GROUP // 2, -1, 2).transpose(1, 0, 2).reshape(-1)
        found.append(np.concatenate([bias[start : start + GROUP] & 0xFFFFFFFF, in_order]))
    return np.stack(found).astype(np.uint32)


def _lower(node: Node, lowering: Lowering, packed: npt.NDArray[np.uint32]) -> None:
    input, weights, output = node.input("input"), node.input("weights"), node.output
    channels, depth = weights.shape
    factors = convolution_requantization(node, input, weights, output)
    shift = -int(factors.shifts[0])
    job = Job(
        quads=depth // 4,
        tail=depth % 4,
        weights=lowering.constant(f"{weights.name}_packed", packed, "see kernels/dsp/fully_connected.S"),
        groups=channels // GROUP,
        multiplier=int(factors.multipliers[0]),
        rounding=(2 * output.zero_point + 1) * (1 << (shift - 1)),
        shift=shift - 1,
    )
    params = DspFullyConnectedParams(
        job=job,
        matrix=matrix_of(node),
        group_words=packed.shape[1],
        overlapping=int(channels % GROUP != 0),
    )
    source, target = lowering.operand(input), lowering.buffer(output)
    add_call(
        node, lowering, "ts_dsp_fully_connected_s8", "dsp/fully_connected.h",
        params=params, inputs=[source], outputs=[target],
        overlaps=overlaps(source, target, _lead(input.elements // depth, depth, channels, len(packed))),
        macs=output.elements * depth, sources=("dsp/fully_connected.S",), variant="dsp", reason=REASON,
    )  # fmt: skip
    clamp.add_clamp(node, lowering)


def _lead(batches: int, depth: int, channels: int, groups: int) -> int:
    """Each group reads its whole row, then writes."""
    rows = np.repeat(np.arange(batches, dtype=np.int64), groups)
    ends = np.minimum((np.arange(groups, dtype=np.int64) + 1) * GROUP, channels)
    return lead_bytes(rows * depth, (np.arange(batches)[:, None] * channels + ends).reshape(-1))


def _lower_pointwise(node: Node, lowering: Lowering, product: packing.Matmul) -> None:
    input, depth = node.input("input"), node.input("weights").shape[1]
    conv_2d.lower_pointwise(node, lowering, product, input.elements // depth, depth)
