# SPDX-License-Identifier: Apache-2.0
"""How far two histograms are apart: PSI, Jensen-Shannon, and a chi-square test that knows that codes of one
input belong together (Rao and Scott's first-order correction)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

_LEAST_EXPECTED = 5.0
_SMALLEST_SHARE = 1e-4
"""Stands for an empty bin in PSI's logarithm."""
_LONGEST_SERIES = 500
Shares = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Distance:
    """``p_value``: how likely a difference this large is where nothing has changed."""

    psi: float
    jensen_shannon: float
    chi_square: float
    degrees: int
    p_value: float


def distance(reference: Sequence[int], seen: Sequence[int], design_effect: float = 1.0) -> Distance:
    """Of counts in the same bins. ``design_effect``: of ``seen``, by which its counts vary more than
    independent ones. An empty histogram is no distance from any."""
    expected, found = np.asarray(reference, np.float64), np.asarray(seen, np.float64)
    if expected.sum() == 0 or found.sum() == 0:
        return Distance(0.0, 0.0, 0.0, 0, 1.0)
    p, q = expected / expected.sum(), found / found.sum()
    statistic, degrees = _chi_square(expected, found, design_effect)
    return Distance(
        _psi(p, q), _jensen_shannon(p, q), statistic, degrees, chi_square_tail(statistic, degrees)
    )


def _psi(p: Shares, q: Shares) -> float:
    a, b = np.maximum(p, _SMALLEST_SHARE), np.maximum(q, _SMALLEST_SHARE)
    return float(np.sum((b - a) * np.log(b / a)))


def _jensen_shannon(p: Shares, q: Shares) -> float:
    """In bits, 0 to 1."""
    middle = (p + q) / 2
    return (_divergence(p, middle) + _divergence(q, middle)) / 2


def _divergence(p: Shares, q: Shares) -> float:
    """Kullback and Leibler's, in bits; ``q`` is empty in no bin that ``p`` has some in."""
    ratio = np.divide(p, q, out=np.ones_like(p), where=p > 0)
    return float(np.sum(p * np.log2(ratio)))


def _chi_square(expected: Shares, found: Shares, design_effect: float) -> tuple[float, int]:
    """Two samples' statistic, over bins that have enough in both together, and its degrees of freedom."""
    pairs = _pooled(expected, found)
    a, b = np.array([x for x, _ in pairs]), np.array([y for _, y in pairs])
    if len(pairs) < 2:
        return 0.0, 0
    n, m = a.sum(), b.sum() / design_effect
    share, other = a / n, b / b.sum()
    pooled = (share * n + other * m) / (n + m)
    statistic = float(np.sum((share - other) ** 2 / (pooled * (1 / n + 1 / m))))
    return statistic, len(pairs) - 1


def _pooled(expected: Shares, found: Shares) -> list[tuple[float, float]]:
    """Neighbouring bins put together until ``found`` could be expected to have some in each."""
    scale = found.sum() / (expected.sum() + found.sum())
    pairs: list[tuple[float, float]] = []
    x = y = 0.0
    for a, b in zip(expected, found, strict=True):
        x, y = x + a, y + b
        if (x + y) * scale >= _LEAST_EXPECTED:
            pairs.append((x, y))
            x = y = 0.0
    if (x or y) and pairs:
        last = pairs.pop()
        pairs.append((last[0] + x, last[1] + y))
    return pairs


def chi_square_tail(statistic: float, degrees: int) -> float:
    """The chance that a chi-square variable is larger: the upper incomplete gamma function Q(k/2, x/2)."""
    if degrees == 0 or statistic <= 0:
        return 1.0
    a, x = degrees / 2, statistic / 2
    front = math.exp(-x + a * math.log(x) - math.lgamma(a))
    if x < a + 1:
        return max(0.0, 1.0 - front * _series(a, x))
    return front * _fraction(a, x)


def _series(a: float, x: float) -> float:
    term = total = 1 / a
    for n in range(1, _LONGEST_SERIES):
        term *= x / (a + n)
        total += term
        if term < total * 1e-15:
            break
    return total


def _fraction(a: float, x: float) -> float:
    """Lentz's continued fraction."""
    tiny = 1e-300
    b = x + 1 - a
    c, d = 1 / tiny, 1 / b
    value = d
    for n in range(1, _LONGEST_SERIES):
        factor = -n * (n - a)
        b += 2
        d = factor * d + b
        c = b + factor / c
        d, c = 1 / (d if abs(d) > tiny else tiny), c if abs(c) > tiny else tiny
        value *= d * c
        if abs(d * c - 1) < 1e-15:
            break
    return value
