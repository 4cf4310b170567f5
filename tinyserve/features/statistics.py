# SPDX-License-Identifier: Apache-2.0
"""Statistics of columns over any number of values, piece by piece: exact, so the same whatever the pieces.

Sums are kept as integers by exponent. Quantiles come of histograms of the values' own bits, finer with each
pass, until a bin is a single float32.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
_MANTISSA = 24
_EXPONENTS = 512  # of float32 from -149, and of their squares
_LOWEST = -160
_HALF = 1 << 12
_MOST_BINS = 1 << 23  # of all columns together, in a pass
_BITS = 32


class Moments:
    """Count, mean, deviation, least and greatest of each column, NaN left out: exact sums."""

    def __init__(self, width: int) -> None:
        self.count = np.zeros(width, np.int64)
        self.missing = np.zeros(width, np.int64)
        self.least, self.most = np.full(width, np.inf), np.full(width, -np.inf)
        self.is_finite = True
        self._sums = np.zeros((width, _EXPONENTS), np.int64)
        self._squares = np.zeros((3, width, _EXPONENTS), np.int64)

    def fresh(self) -> Moments:
        """An empty one of as many columns."""
        return Moments(len(self.count))

    def merge(self, other: Moments) -> None:
        """Adds what the other has seen."""
        self.count += other.count
        self.missing += other.missing
        self.least, self.most = np.minimum(self.least, other.least), np.maximum(self.most, other.most)
        self.is_finite &= other.is_finite
        self._sums += other._sums
        self._squares += other._squares

    def add(self, values: Array) -> None:
        """Rows of float32 (n, width)."""
        known = ~np.isnan(values)
        self.is_finite &= bool(np.isfinite(values[known]).all())
        self.count += known.sum(axis=0)
        self.missing += (~known).sum(axis=0)
        safe = np.where(np.isfinite(values), values, 0)
        self.least = np.minimum(self.least, np.where(known, values, np.inf).min(axis=0, initial=np.inf))
        self.most = np.maximum(self.most, np.where(known, values, -np.inf).max(axis=0, initial=-np.inf))
        fraction, exponent = np.frexp(safe.astype(np.float64))
        whole = (fraction * (1 << _MANTISSA)).astype(np.int64)  # of a float32: no digit is lost
        columns = np.broadcast_to(np.arange(values.shape[1]), values.shape)
        place = exponent.astype(np.int64) - _LOWEST
        np.add.at(self._sums, (columns, place), whole)
        low, high = np.abs(whole) & (_HALF - 1), np.abs(whole) >> 12
        for kept, part in zip(self._squares, (low * low, 2 * low * high, high * high), strict=True):
            np.add.at(kept, (columns, place), part)

    def means(self) -> Array:
        """Rounded once. NaN where nothing is known."""
        return np.array([float(self._sum(c) / n) if n else np.nan for c, n in enumerate(self.count.tolist())])

    def deviations(self) -> Array:
        """Of the population."""
        found = []
        for column, count in enumerate(self.count.tolist()):
            if not count:
                found.append(np.nan)
                continue
            mean = self._sum(column) / count
            found.append(float(np.sqrt(float(self._square(column) / count - mean * mean))))
        return np.array(found)

    def _sum(self, column: int) -> Fraction:
        return _total(self._sums[column], _MANTISSA, 1)

    def _square(self, column: int) -> Fraction:
        low, middle, high = (_total(part[column], 2 * _MANTISSA, 2) for part in self._squares)
        return low + middle * _HALF + high * _HALF * _HALF


def _total(sums: Array, digits: int, power: int) -> Fraction:
    """What integers by exponent stand for."""
    found = Fraction(0)
    for place in np.flatnonzero(sums).tolist():
        found += int(sums[place]) * Fraction(2) ** (power * (place + _LOWEST) - digits)
    return found


class Quantiles:
    """Order statistics of each column, NaN left out. Goes over the data several times: ``begin``, ``add`` for
    each piece, ``end``, until ``is_done``."""

    def __init__(self, counts: Sequence[int], shares: Sequence[float]) -> None:
        self._shares = shares
        self._counts = list(counts)
        width = max(1, len(self._counts))
        ranks = [self._ranks(count) for count in self._counts]
        self._ranks_of = ranks
        targets = max((len(one) for one in ranks), default=1)
        self._step = max(1, min(16, (_MOST_BINS // (width * max(1, targets))).bit_length() - 1))
        self._known = 0  # bits that are found already
        self._prefixes = [[0] * len(one) for one in ranks]
        self._left = [list(one) for one in ranks]
        self._bins: list[dict[int, Array]] = []

    @property
    def is_done(self) -> bool:
        return self._known >= _BITS

    def begin(self) -> None:
        """Another pass."""
        bits = min(self._step, _BITS - self._known)
        self._bins = [{one: np.zeros(1 << bits, np.int64) for one in prefixes} for prefixes in self._prefixes]

    def add(self, values: Array) -> None:
        """Rows of float32 (n, width); of any width where all values are counted together."""
        values = values.reshape(-1, len(self._counts))
        if not self._bins:
            self.begin()
        bits = min(self._step, _BITS - self._known)
        shift = _BITS - self._known - bits
        for column, bins in enumerate(self._bins):
            keys = _ordered(values[:, column])
            for prefix, kept in bins.items():
                inside = keys[(keys >> np.uint64(_BITS - self._known)) == prefix] if self._known else keys
                places = (inside >> np.uint64(shift)) & np.uint64((1 << bits) - 1)
                np.add(kept, np.bincount(places.astype(np.int64), minlength=1 << bits), out=kept)

    def fresh(self) -> Quantiles:
        """One that adds pieces of the same pass apart, for ``merge``."""
        other = copy(self)
        other._bins = []  # made when there is something to count: until then it is small to send
        return other

    def merge(self, other: Quantiles) -> None:
        """Adds what the other has seen in this pass."""
        if not self._bins:
            self.begin()
        for own, more in zip(self._bins, other._bins, strict=bool(other._bins)):
            for prefix, kept in own.items():
                np.add(kept, more[prefix], out=kept)

    def end(self) -> None:
        """The pass is over: each rank's bin is known."""
        bits = min(self._step, _BITS - self._known)
        for column, bins in enumerate(self._bins):
            for number, prefix in enumerate(self._prefixes[column]):
                below = np.concatenate([[0], np.cumsum(bins[prefix])])
                place = int(np.searchsorted(below, self._left[column][number], side="right")) - 1
                self._left[column][number] -= int(below[place])
                self._prefixes[column][number] = prefix << bits | place
        self._known += bits

    def values(self) -> Array:
        """(shares, columns): between neighbours as numpy interpolates; NaN where nothing is known."""
        found = np.full((len(self._shares), len(self._counts)), np.nan)
        for column, count in enumerate(self._counts):
            exact = {
                rank: _float(key)
                for rank, key in zip(self._ranks_of[column], self._prefixes[column], strict=True)
            }
            for number, share in enumerate(self._shares):
                if count:
                    place = share * (count - 1)
                    low = int(place)
                    high = min(low + 1, count - 1)
                    found[number, column] = exact[low] + (exact[high] - exact[low]) * (place - low)
        return found

    def _ranks(self, count: int) -> list[int]:
        wanted = {min(int(share * (count - 1)) + one, count - 1) for share in self._shares for one in (0, 1)}
        return sorted(wanted) if count else []


def _ordered(values: Array) -> Array:
    """Keys in the order of the values; NaN left out, and both zeros one."""
    known = np.ascontiguousarray(values[~np.isnan(values)], np.float32) + np.float32(0)
    bits = known.view(np.uint32).astype(np.uint64)
    negative = bits >> np.uint64(31) == 1
    keys: Array = np.where(negative, np.uint64(0xFFFFFFFF) - bits, bits | np.uint64(0x80000000))
    return keys


def _float(key: int) -> float:
    bits = key & 0x7FFFFFFF if key & 0x80000000 else 0xFFFFFFFF - key
    return float(np.array([bits], np.uint32).view(np.float32)[0])
