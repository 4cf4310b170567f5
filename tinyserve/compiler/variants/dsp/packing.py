# SPDX-License-Identifier: Apache-2.0
"""Weights in the order in which the DSP kernels read them, and the bounds within which they are exact.

The record of a pair of output channels is described in ``kernels/dsp/matmul.S``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tinyserve.compiler.graph.types import DType, Node
from tinyserve.compiler.ops.support.quantize_params import Requantization

Ints = npt.NDArray[np.int64]
_INT32 = 1 << 31


@dataclass(frozen=True)
class Matmul:
    """Weights of all channels for the kernels ``ts_dsp_matmul_<pixels>_<kernel>`` in ``source``.

    ``weights``: records of pairs of channels, [pairs][words]; with an odd number of channels one more, for
    the last two. Costs are instructions per block of 4 pixels, per step and pair, and per pair beside.
    """

    weights: npt.NDArray[np.uint32]
    steps: int
    odd: bool
    rounding: int
    kernel: str
    source: str
    variant: str
    cost_per_step: float
    cost_per_pair: float


def applies(node: Node) -> bool:
    """int8 activations and weights."""
    input, weights, output = node.input("input"), node.input("weights"), node.output
    return input.dtype is weights.dtype is output.dtype is DType.INT8


def tap_pairs(run_length: int) -> list[tuple[int, int | None]]:
    """Which two taps of a run share a word, in the order of ``kernels/dsp/patch.S``; None is none."""
    pairs: list[tuple[int, int | None]] = []
    for start in range(0, run_length - run_length % 4, 4):
        pairs += [(start, start + 2), (start + 1, start + 3)]
    start = run_length - run_length % 4
    tail: dict[int, list[tuple[int, int | None]]] = {
        0: [],
        1: [(start, None)],
        2: [(start, start + 1)],
        3: [(start, start + 2), (start + 1, None)],
    }
    return pairs + tail[run_length % 4]


def in_steps(taps: npt.NDArray[np.int8], run_length: int) -> Ints:
    """[channels][taps] as [channels][steps][2]; ``run_length`` divides the number of taps."""
    channels, count = taps.shape
    runs = taps.astype(np.int64).reshape(channels, count // run_length, run_length)
    padded = np.concatenate([runs, np.zeros((*runs.shape[:2], 1), np.int64)], axis=2)
    order = [[first, run_length if second is None else second] for first, second in tap_pairs(run_length)]
    return np.asarray(padded[:, :, np.array(order)].reshape(channels, -1, 2), dtype=np.int64)


def accumulator_bounds(steps: Ints, bias: Ints) -> Ints:
    """Per channel, what the accumulator's magnitude cannot exceed for any int8 input."""
    return np.asarray(np.abs(bias) + 128 * np.abs(steps).sum(axis=(1, 2)))


def settle(factors: Requantization, channels: int, bounds: Ints) -> tuple[Ints, Ints]:
    """Multipliers and right shifts; channels that always give the zero point get multiplier 0 and shift 1.

    That is so where the scaled accumulator stays below half: their shifts may be beyond what kernels take.
    """
    every = factors.per_channel(channels)
    multipliers, shifts = every.multipliers.astype(np.int64), -every.shifts.astype(np.int64)
    scaled = (bounds * multipliers >> 31) + 1
    constant = (scaled < (np.int64(1) << np.clip(shifts - 1, 0, 40))) & (shifts >= 1) | (multipliers == 0)
    return np.where(constant, 0, multipliers), np.where(constant, 1, shifts)


def matmul(node: Node, steps: Ints, bias: Ints, factors: Requantization) -> Matmul | None:
    """Packed weights, or None where a bound is broken that the kernels' arithmetic needs.

    ``steps``: [channels][steps][2] weights; ``bias``: folded.
    """
    channels = len(steps)
    if channels < 2:
        return None
    zero_point = node.output.zero_point
    relu, rounding = zero_point == -128, 2 * zero_point + 1
    bounds = accumulator_bounds(steps, bias)
    multipliers, shifts = settle(factors, channels, bounds)
    if not _fits(shifts, bounds, bias, rounding, relu):
        return None
    both = in_pairs(channels)
    first, second = both[0::2], both[1::2]
    words = paired(steps[both], bounds[both])
    if words is None:
        return None
    records = np.zeros((len(first), steps.shape[1] + 4), dtype=np.int64)
    records[:, 0] = bias[first] * 256 + shifts[first] - 1
    records[:, 1] = bias[second] * 256 + shifts[second] + (6 if relu else -1)
    records[:, 2:-2] = words
    records[:, -2], records[:, -1] = multipliers[first], multipliers[second]
    kernel, cost_per_pair = ("relu_s8", 66.0) if relu else ("s8", 78.0)
    return Matmul(
        unsigned(records), steps.shape[1], channels % 2 == 1, rounding, kernel, "matmul.S",
        "dsp", 13.375, cost_per_pair,
    )  # fmt: skip


def in_pairs(channels: int) -> Ints:
    """The channels of each pair in turn; the last pair overlaps its neighbour where the number is odd."""
    whole = np.arange(channels - channels % 2, dtype=np.int64)
    return np.append(whole, [channels - 2, channels - 1]) if channels % 2 else whole


def unsigned(records: Ints) -> npt.NDArray[np.uint32]:
    """Words as C stores them."""
    return (records & 0xFFFFFFFF).astype(np.uint32)


def paired(steps: Ints, bounds: Ints) -> Ints | None:
    """[channels][steps][2] weights as [channels / 2][steps] words of halves 256 * w_B + w_A.

    None where a half-word or the sum 256 * B + A could overflow.
    """
    halves = steps[0::2] + 256 * steps[1::2]
    if np.any(halves != halves.astype(np.int16)) or np.any(256 * bounds[1::2] + bounds[0::2] >= _INT32):
        return None
    return np.asarray(halves[:, :, 0] & 0xFFFF | (halves[:, :, 1] & 0xFFFF) << 16)


def fits_plain(shifts: Ints, bounds: Ints, bias: Ints, rounding: int) -> bool:
    """As ``fits_sums``, and no bias leaves 24 bits."""
    return fits_sums(shifts, bounds, rounding) and not np.any(np.abs(bias) >= 1 << 23)


def fits_sums(shifts: Ints, bounds: Ints, rounding: int) -> bool:
    """No sum leaves 32 bits, no right shift its range: with ties corrected."""
    if np.any(shifts < 1) or np.any(shifts > 22):
        return False
    half = abs(rounding) * (np.int64(1) << (shifts - 1))
    return not (np.any(2 * bounds + 2 >= _INT32) or np.any(bounds + 2 + half >= _INT32))


def _fits(shifts: Ints, bounds: Ints, bias: Ints, rounding: int, relu: bool) -> bool:
    """As ``fits_plain``; the relu kernels carry 7 more bits."""
    if not fits_plain(shifts, bounds, bias, rounding):
        return False
    half = abs(rounding) * (np.int64(1) << (shifts - 1))
    return not relu or not np.any(128 * (bounds + 2 + half) >= _INT32)
