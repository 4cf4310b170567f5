# SPDX-License-Identifier: Apache-2.0
"""How far two histograms are apart: PSI, Jensen-Shannon, and a chi-square test that knows that codes of one
input belong together.

Where they do, the statistic is a sum of chi-square variables of different weights (Rao and Scott, 1981). The
mean of the weights does not do for rare events: one large weight makes the tail heavier. So the tail is that
of the weighted sum, by Lugannani and Rice's saddlepoint (Kuonen, 1999).
"""

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
_BODY = 1.05
"""Means up to which the weighted sum's tail is Satterthwaite's: the saddlepoint is singular at the mean."""
_HALVINGS = 60
Shares = npt.NDArray[np.float64]
Counts = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Distance:
    """``p_value``: how likely a difference this large is where nothing has changed. ``chi_square`` has a mean
    of ``degrees`` then."""

    psi: float
    jensen_shannon: float
    chi_square: float
    degrees: int
    p_value: float


@dataclass(frozen=True)
class Distances:
    """As `Distance`, each (windows,)."""

    psi: Shares
    jensen_shannon: Shares
    chi_square: Shares
    degrees: Counts
    p_value: Shares


@dataclass(frozen=True)
class Clusters:
    """Counts that come in groups, one per input. ``between``: (bins, bins), covariance over inputs of a bin's
    share of an input. ``samples``: inputs that the reference is of; ``looks``: that are seen in a window."""

    between: Shares
    samples: int
    looks: int


def distance(reference: Sequence[int], seen: Sequence[int], clusters: Clusters | None = None) -> Distance:
    """Of counts in the same bins; without ``clusters`` each count is independent of the others. An empty
    histogram is no distance from any."""
    many = distances(reference, np.asarray(seen, np.int64)[None], clusters)
    return Distance(
        float(many.psi[0]),
        float(many.jensen_shannon[0]),
        float(many.chi_square[0]),
        int(many.degrees[0]),
        float(many.p_value[0]),
    )


def distances(reference: Sequence[int], seen: Counts, clusters: Clusters | None = None) -> Distances:
    """Of each window's counts (windows, bins) from those of the reference."""
    expected, found = np.asarray(reference, np.float64), np.asarray(seen, np.float64)
    some = found.sum(axis=1) > 0
    if expected.sum() == 0 or not some.all():
        return _where_some(reference, seen, clusters, some & (expected.sum() > 0))
    p, q = expected / expected.sum(), found / found.sum(axis=1, keepdims=True)
    statistic, weights, degrees = _chi_square(expected, found, clusters)
    total = weights.sum(axis=1)
    scale = np.where(total > 0, total / np.maximum(degrees, 1), 1.0)
    return Distances(
        _psi(p, q), _jensen_shannon(p, q), statistic / scale, degrees, weighted_tail(statistic, weights)
    )


def _where_some(reference: Sequence[int], seen: Counts, clusters: Clusters | None, some: Counts) -> Distances:
    none = np.zeros(len(seen))
    made = Distances(none, none.copy(), none.copy(), np.zeros(len(seen), np.int64), np.ones(len(seen)))
    if some.any():
        found = distances(reference, seen[some], clusters)
        for name in ("psi", "jensen_shannon", "chi_square", "degrees", "p_value"):
            getattr(made, name)[some] = getattr(found, name)
    return made


def _psi(p: Shares, q: Shares) -> Shares:
    a, b = np.maximum(p, _SMALLEST_SHARE), np.maximum(q, _SMALLEST_SHARE)
    total: Shares = np.sum((b - a) * np.log(b / a), axis=-1)
    return total


def _jensen_shannon(p: Shares, q: Shares) -> Shares:
    """In bits, 0 to 1."""
    middle = (p + q) / 2
    return (_divergence(np.broadcast_to(p, q.shape), middle) + _divergence(q, middle)) / 2


def _divergence(p: Shares, q: Shares) -> Shares:
    """Kullback and Leibler's, in bits; ``q`` is empty in no bin that ``p`` has some in."""
    ratio = np.divide(p, q, out=np.ones(p.shape), where=p > 0)
    total: Shares = np.sum(p * np.log2(ratio), axis=-1)
    return total


def _chi_square(expected: Shares, found: Shares, clusters: Clusters | None) -> tuple[Shares, Shares, Counts]:
    """Two samples' statistic, over bins that have enough in both together; the weights (windows, bins) of the
    chi-square variables whose sum it is where nothing has changed; and how many bins beyond one that were."""
    pool = _pools(expected, found)
    bins = pool.any(axis=2).sum(axis=1)
    a, b = pool @ expected, np.einsum("wij,wj->wi", pool, found)
    n, m = a.sum(axis=1, keepdims=True), b.sum(axis=1, keepdims=True)
    samples, looks = (n, m) if clusters is None else (clusters.samples, clusters.looks)
    share, other = a / n, b / m
    both = (share * samples + other * looks) / (samples + looks)
    inverse = np.divide(1.0, both, out=np.zeros_like(both), where=both > 0)
    statistic: Shares = np.sum((share - other) ** 2 * inverse, axis=1)
    variance = _variance(both, pool, clusters, n[..., None], m[..., None])
    root = np.sqrt(inverse)
    weights: Shares = np.maximum(np.linalg.eigvalsh(variance * root[:, :, None] * root[:, None, :]), 0.0)
    degrees = np.maximum(bins - 1, 0)
    return np.where(degrees > 0, statistic, 0.0), weights, degrees


def _variance(both: Shares, pool: Shares, clusters: Clusters | None, n: Shares, m: Shares) -> Shares:
    """Of the difference of shares, (windows, bins, bins). Between inputs it is as known from the reference's
    samples, so its upper limit of one standard error; within an input, of the codes counted of it."""
    single = both[:, :, None] * np.eye(both.shape[1]) - both[:, :, None] * both[:, None, :]
    if clusters is None:
        return single * (1 / n + 1 / m)
    between = pool @ clusters.between @ pool.transpose(0, 2, 1)
    between = between * (1 + math.sqrt(2 / max(clusters.samples, 1)))
    codes = np.maximum(m / clusters.looks, 1.0)
    in_seen = (between * (1 - 1 / codes) + single / codes) / clusters.looks
    made: Shares = in_seen + between / clusters.samples
    return made


def _pools(expected: Shares, found: Shares) -> Shares:
    """Neighbouring bins put together until ``found`` could be expected to have some in each: (windows, pooled
    bins, bins) of ones and zeros."""
    windows, bins = found.shape
    scale = found.sum(axis=1) / (expected.sum() + found.sum(axis=1))
    at, every = np.zeros(windows, np.int64), np.arange(windows)
    left = np.zeros(windows)
    into = np.zeros((windows, bins), np.int64)
    for bin_ in range(bins):
        left = left + expected[bin_] + found[:, bin_]
        into[:, bin_] = at
        full = left * scale >= _LEAST_EXPECTED
        at, left = at + full, np.where(full, 0.0, left)
    into = np.minimum(into, np.maximum(at - 1, 0)[:, None])  # what is left over goes to the last
    pool = np.zeros((windows, bins, bins))
    for bin_ in range(bins):
        pool[every, into[:, bin_], bin_] = 1.0
    return pool


def weighted_tail(statistic: Shares, weights: Shares) -> Shares:
    """The chance that the sum of chi-square variables of one degree of freedom, times ``weights`` (windows,
    variables), is larger than ``statistic`` (windows,)."""
    mean, square = weights.sum(axis=1), np.sum(weights**2, axis=1)
    made = np.ones(len(statistic))
    in_tail = (statistic > _BODY * mean) & (mean > 0)
    made[in_tail] = _saddlepoint(statistic[in_tail], weights[in_tail])
    for at in np.flatnonzero(~in_tail & (mean > 0)):
        made[at] = chi_square_tail(statistic[at] * mean[at] / square[at], mean[at] ** 2 / square[at])
    return made


def _saddlepoint(statistic: Shares, weights: Shares) -> Shares:
    """For statistics beyond the mean."""
    low, high = np.zeros(len(statistic)), 0.5 / weights.max(axis=1)
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        slope = np.sum(weights / (1 - 2 * middle[:, None] * weights), axis=1)
        low, high = np.where(slope < statistic, middle, low), np.where(slope < statistic, high, middle)
    shrunk = 1 - 2 * low[:, None] * weights
    cumulant = -0.5 * np.sum(np.log(shrunk), axis=1)
    w = np.sqrt(2 * np.maximum(low * statistic - cumulant, 1e-300))
    v = low * np.sqrt(2 * np.sum((weights / shrunk) ** 2, axis=1))
    far = w + np.log(v / w) / w
    return np.array([0.5 * math.erfc(z / math.sqrt(2)) for z in far])


def chi_square_tail(statistic: float, degrees: float) -> float:
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
