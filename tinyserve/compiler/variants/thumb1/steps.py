# SPDX-License-Identifier: Apache-2.0
"""Short multipliers whose requantization takes TFLM's steps at the very same accumulators.

Requantization is a step function of the accumulator that never goes down: MultiplyByQuantizedMultiplier (a
doubling high multiply, a rounding division), the zero point, the clamp. ``(v(a) + offset) >> shift`` with a v
that never goes down is another one. They are equal for all accumulators if every step of the one is a step
of the other, and of those there are 255 at the most. Here v(a) is a product formed from limbs of the
multiplier (kernels/thumb1/requantize.h); the offset is chosen from the interval that the steps leave, if any.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]

_DROPPED_BITS = {2: 10, 3: 7}
_LIMB_BITS = {2: (10,), 3: (8, 8)}
_LIMIT = {2: 1 << 20, 3: 1 << 23}
"""Magnitude of accumulators below which every partial product fits 32 bits."""
_WORD = (1 << 31) - 1
_EXACT = 2
_MOST_SHIFT = 22  # the zero point is shifted left by as much, the high product has 23 bits


@dataclass(frozen=True)
class Channel:
    """One output channel.

    ``bias`` is added to the accumulator, multiplier * 2^(-31 - shift) scales it, then come the output's zero
    point and clamp. ``reach``: how large the accumulator without bias can get in magnitude.
    """

    bias: int
    multiplier: int
    shift: int
    zero_point: int
    low: int
    high: int
    reach: int


@dataclass(frozen=True)
class Scaling:
    """``ts_thumb1_channel``: the arithmetic, limbs of the multiplier from the lowest up, and the rest."""

    kind: int
    limbs: tuple[int, int, int, int]
    offset: int
    shift: int
    bias: int

    @property
    def words(self) -> tuple[int, ...]:
        return (self.kind, *self.limbs, self.offset, self.shift, self.bias)


def requantize(channel: Channel, accumulator: Ints) -> Ints:
    """TFLM's result before the clamp."""
    high = ((accumulator + channel.bias) * channel.multiplier + (1 << 30)) >> 31
    if channel.shift > 0:
        high = (high + (1 << (channel.shift - 1)) + (high >> 63)) >> channel.shift
    return high + channel.zero_point


def first_reaching(channel: Channel, results: Ints) -> Ints:
    """For each result the least accumulator that reaches it; reach + 1 where none does."""
    low = np.full(results.shape, -channel.reach, dtype=np.int64)
    high = np.full(results.shape, channel.reach + 1, dtype=np.int64)
    while bool(np.any(low < high)):
        middle = (low + high) >> 1
        reached = requantize(channel, middle) >= results
        high = np.where(reached, middle, high)
        low = np.where(reached, low, middle + 1)
    return low


def fit(channel: Channel, limbs: int) -> Scaling | None:
    """A short multiplier of two or three limbs for a channel.

    None where accumulators are too large or no offset meets all steps.
    """
    if channel.shift < 0 or channel.reach >= _LIMIT[limbs]:
        return None
    results = np.arange(channel.low + 1, channel.high + 1, dtype=np.int64)
    steps = first_reaching(channel, results)
    dropped = _DROPPED_BITS[limbs]
    multiplier = (channel.multiplier + (1 << (dropped - 1))) >> dropped
    kept = 31 - dropped - sum(_LIMB_BITS[limbs]) + channel.shift
    if kept > 30:
        return None
    for candidate in (multiplier, multiplier - 1, multiplier + 1, multiplier - 2, multiplier + 2):
        parts = _split(candidate, limbs)
        offset = _offset(channel, parts, limbs, results << kept, steps)
        if offset is not None:
            return Scaling(limbs - 2, (*parts, 0), offset, kept, 0)
    return None


def exact(channel: Channel) -> Scaling | None:
    """TFLM's own arithmetic with the multiplier in four limbs; None where it would overflow."""
    reach = channel.reach + abs(channel.bias)
    rounding = (1 << (channel.shift - 1)) + (channel.zero_point << channel.shift) if channel.shift > 0 else 0
    if not 1 <= channel.shift <= _MOST_SHIFT or reach >= _LIMIT[3]:
        return None
    multiplier = channel.multiplier
    limbs = (multiplier & 255, (multiplier >> 8) & 255, (multiplier >> 16) & 255, multiplier >> 24)
    return Scaling(_EXACT, limbs, rounding, channel.shift, channel.bias)


@lru_cache(maxsize=8192)
def scaling(channel: Channel) -> Scaling | None:
    """The cheapest way to requantize a channel."""
    return constant(channel) or fit(channel, 2) or fit(channel, 3) or exact(channel)


def constant(channel: Channel) -> Scaling | None:
    """A channel whose factor is so small that the result never changes."""
    if channel.shift < 0:
        return None
    ends = requantize(channel, np.array([-channel.reach, channel.reach], dtype=np.int64))
    low, high = np.clip(ends, channel.low, channel.high)
    return Scaling(0, (0, 0, 0, 0), int(low), 0, 0) if low == high else None


def _split(multiplier: int, limbs: int) -> tuple[int, int, int]:
    if limbs == 2:
        return multiplier & 1023, multiplier >> 10, 0
    return multiplier & 255, (multiplier >> 8) & 255, multiplier >> 16


def product(accumulator: Ints, parts: tuple[int, int, int], limbs: int) -> Ints:
    """What the kernels form of an accumulator, from the lowest limb up."""
    if limbs == 2:
        return ((accumulator * parts[0]) >> 10) + accumulator * parts[1]
    lower = (accumulator * parts[0]) >> 8
    return ((lower + accumulator * parts[1]) >> 8) + accumulator * parts[2]


def _offset(
    channel: Channel, parts: tuple[int, int, int], limbs: int, levels: Ints, steps: Ints
) -> int | None:
    """An offset with which the product reaches each level at its step and not before."""
    inside, before = steps <= channel.reach, steps > -channel.reach
    least = np.max(levels[inside] - product(steps[inside], parts, limbs), initial=-(1 << 62))
    most = np.min(levels[before] - 1 - product(steps[before] - 1, parts, limbs), initial=1 << 62)
    if least > most:
        return None
    offset = int(least if most == 1 << 62 else most if least == -(1 << 62) else (least + most) // 2)
    ends = np.array([-channel.reach, channel.reach], dtype=np.int64)
    largest = np.abs(product(ends, parts, limbs)).max(initial=0) + abs(offset)
    return offset if largest <= _WORD and abs(offset) <= _WORD else None
