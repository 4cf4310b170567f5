# SPDX-License-Identifier: Apache-2.0
"""Weights times a power of two per channel, so that all channels of a layer need one right shift.

With acc the sum, m the multiplier and r the right shift, TFLM gives
zp + (((acc m + 2^30) >> 31) + half >> r). The sum of scaled weights is 2^d acc, and floor(2^d acc m / 2^32)
has d - 1 bits more than TFLM's first rounding. Floors compose: after adding C the result is a shift by
r + d - 1, which d makes the same for all channels.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tinyserve.compiler.variants.dsp.packing import Ints

_MOST_SUMS = 1 << 21
"""Sums of products that a fit may have to try."""


@dataclass(frozen=True)
class Scaled:
    """A channel whose weights are multiplied by 2^exponent, as ``bias`` is; ``multiplier`` may be fitted."""

    exponent: int
    bias: int
    multiplier: int


def scaled(
    weights: Ints, bias: int, multiplier: int, shift: int, *, total_shift: int, relu: bool
) -> Scaled | None:
    """The scaled form of a channel, or None where none is exact.

    ``total_shift``: what the kernel shifts by in the end. ``relu``: the zero point is -128, so that negative
    ties do not matter.
    """
    if multiplier == 0:
        return Scaled(2, 0, 0)
    magnitudes = np.abs(weights)
    largest, most = int(magnitudes.max()), 128 * int(magnitudes.sum())
    exponent = total_shift + 1 - shift
    if 2 <= exponent <= 15 and largest << exponent < 1 << 15:
        fits = (abs(bias) + most) << exponent < 1 << 30 and shift >= 1
        return Scaled(exponent, bias << exponent, multiplier) if fits else None
    if shift < 1 or not relu or 2 * most > _MOST_SUMS:
        return None
    # All sums of products that there can be, and the outputs that they must give.
    sums = np.arange(-most, most + 1, dtype=np.int64)
    high = ((sums + bias) * multiplier + (1 << 30)) >> 31
    wanted = np.clip((high + (-255 << (shift - 1))) >> shift, -128, 127)
    for exponent in range(8, 1, -1):
        if largest << exponent < 1 << 15:
            fitted = _fitted(sums, wanted, multiplier * 2.0**-shift, exponent, total_shift)
            if fitted is not None:
                return fitted
    return None


def constant(exponent: int, zero_point: int, total_shift: int) -> int:
    """C: zero point and half an output step, and half a unit of TFLM's first rounding."""
    return ((2 * zero_point + 1) << (total_shift - 1)) + (1 << (exponent - 2))


def _fitted(sums: Ints, wanted: Ints, factor: float, exponent: int, total_shift: int) -> Scaled | None:
    """A rounded multiplier and a bias that give every sum the wanted output."""
    rounded = round(factor * 2.0 ** (total_shift + 1 - exponent))
    if not 0 < rounded < 1 << 31:
        return None
    offset = constant(exponent, -128, total_shift)
    unbiased = (sums << exponent) * rounded
    # wanted << shift <= (unbiased + bias' * rounded >> 32) + C < wanted + 1 << shift, open at the ends.
    above = ((wanted << total_shift) - offset << 32) - unbiased
    below = ((wanted + 1 << total_shift) - offset << 32) - unbiased
    least = int(np.max(above, where=wanted > -128, initial=-(1 << 62)))
    most = int(np.min(below, where=wanted < 127, initial=1 << 62)) - 1
    low, high = max(-(-least // rounded), -(1 << 30)), min(most // rounded, 1 << 30)
    bias = (low + high) // 2
    if low > high or abs(bias) + (int(sums[-1]) << exponent) >= 1 << 31:
        return None
    return Scaled(exponent, bias, rounded)
