# SPDX-License-Identifier: Apache-2.0
"""A function of C's ``math.h`` in float32, to the bit, as Sun's fdlibm defines it, from which many C
libraries have it (compared with glibc 2.36). It is up to one unit in the last place off, and so are tables
that were made with it."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
_ONE, _TWO, _HALF = np.float32(1), np.float32(2), np.float32(0.5)
_WITHOUT_EXPONENT = np.float32(0.41421356)  # sqrt(2) - 1: up to it 1 + x needs no exponent
_LN2_HIGH, _LN2_LOW = (np.array(bits, np.uint32).view(np.float32) for bits in (0x3F317180, 0x3717F7D1))
# Of the series of (ln(1 + f) - f) / s in s^2, s = f / (2 + f), its highest power first.
_SERIES = np.array(
    [0x3E178897, 0x3E1CD04F, 0x3E3A3325, 0x3E638E29, 0x3E924925, 0x3ECCCCCD, 0x3F2AAAAB], np.uint32
).view(np.float32)


def log1p(x: Array) -> Array:
    """ln(1 + x) of float32 from 2^-15 to 2^24."""
    exponent, fraction, lost = _split(x)
    square = _HALF * fraction * fraction
    s = fraction / (_TWO + fraction)
    z = s * s
    series = np.zeros_like(z)
    for factor in _SERIES:
        series = z * (factor + series)
    rest = s * (square + series)
    plain = fraction - (square - rest)
    scaled = exponent * _LN2_HIGH - ((square - (rest + (exponent * _LN2_LOW + lost))) - fraction)
    made: Array = np.where(x < _WITHOUT_EXPONENT, plain, scaled).astype(np.float32)
    return made


def _split(x: Array) -> tuple[Array, Array, Array]:
    """k, f and what rounding lost, so that 1 + x = 2^k (1 + f) with 1 + f between sqrt(1/2) and sqrt(2)."""
    whole = _ONE + x
    mantissa, exponent = np.frexp(whole)  # from 1/2 to 1
    lost = np.where(exponent > 1, _ONE - (whole - x), x - (whole - _ONE)) / whole
    is_small = (mantissa * _TWO).view(np.uint32) & 0x7FFFFF < 0x3504F7  # sqrt(2)
    fraction = np.where(is_small, mantissa * _TWO, mantissa) - _ONE
    k = np.where(is_small, exponent - 1, exponent).astype(np.float32)
    has_none = x < _WITHOUT_EXPONENT
    return k, np.where(has_none, x, fraction).astype(np.float32), lost.astype(np.float32)
