# SPDX-License-Identifier: Apache-2.0
"""A shift of an input's codes, seen by the shape of their histograms.

Where codes lie in clusters (three kinds of flowers, a few grey levels) a shift moves each cluster by more
than it is wide, while a mean is known no better than the distance of the clusters allows. A chi-square sees
that, but spends its power on all other directions, too. So bins are weighed by how a shift by five percent of
the range changes the reference itself, and the mean weight of what a device counted is compared with the
reference's. Channels can be weighed together: what moves them all is seen long before what moves one.

Weights fit the samples that they are of better than others, so the reference's mean is that of each sample by
the weights of all others (the jackknife).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import msgspec
import numpy as np
import numpy.typing as npt

from tinyserve.health.distance import Counts
from tinyserve.health.level import PLACES, Floats

SHIFT = 0.05
"""Of the range."""
_CODES = 256
_BY = round(SHIFT * _CODES)
_PRIOR = 3.0
"""Samples that each bin is taken to have besides, half of them moved: few samples must not weigh most."""
MOST_WEIGHT = 2.0


class Shift(msgspec.Struct, frozen=True):
    """One way, up or down. ``weights`` by channel and bin; ``mean`` of an input, ``shifted`` of one that is
    moved, and ``between``: the variance over inputs."""

    weights: list[list[float]]
    mean: float
    shifted: float
    between: float


def shares_of(codes: npt.NDArray[np.int64]) -> Floats:
    """Of each sample's codes (samples, places, channels), by code: (samples, channels, 256)."""
    samples, places, channels = codes.shape
    row = np.arange(samples)[:, None, None] * channels + np.arange(channels)
    counts = np.bincount((row * _CODES + codes).ravel(), minlength=samples * channels * _CODES)
    shares: Floats = counts.reshape(samples, channels, _CODES) / max(places, 1)
    return shares


def shifts_of(shares: Floats) -> list[Shift]:
    """Up and down, of what `shares_of` gives."""
    return [_shift(_in_bins(shares), _in_bins(_moved(shares, by))) for by in (_BY, -_BY)]


def _moved(shares: Floats, by: int) -> Floats:
    """By so many codes; what goes beyond the range stays at its end."""
    moved = np.roll(shares, by, axis=2)
    end, over = (-1, slice(0, by)) if by > 0 else (0, slice(by, None))
    lost = moved[:, :, over].sum(axis=2)
    moved[:, :, over] = 0.0
    moved[:, :, end] += lost
    return moved


def _in_bins(shares: Floats) -> Floats:
    made: Floats = shares.reshape(*shares.shape[:2], -1, PLACES).sum(axis=3)
    return made


def _shift(before: Floats, after: Floats) -> Shift:
    p, q = before.sum(axis=0), after.sum(axis=0)
    others = _weights(p - before, q - after)
    own = np.sum(before * others, axis=(1, 2))
    return Shift(
        [[round(float(weight), 9) for weight in row] for row in _weights(p, q)],
        round(float(own.mean()), 9),
        round(float(np.sum(after * others, axis=(1, 2)).mean()), 9),
        round(float(own.var(ddof=1)), 9),
    )


def _weights(p: Floats, q: Floats) -> Floats:
    """Of samples, and of these moved."""
    made: Floats = MOST_WEIGHT * (q - p) / (p + q + _PRIOR)
    return made


def moved_shares(shift: Shift, shares: Floats, samples: int) -> Floats:
    """What the shares (channels, bins) that a shift's weights are of become by it."""
    weights = np.asarray(shift.weights)
    q = (samples * shares * (MOST_WEIGHT + weights) + _PRIOR * weights) / (MOST_WEIGHT - weights)
    made: Floats = np.maximum(q, 0.0) / samples
    return made


def shift_tail(
    shift: Shift, reference: Counts, samples: int, counts: Counts, looks: int
) -> tuple[Floats, Floats]:
    """Of a reference (channels, bins) and counts (windows, channels, bins): the chance that these look as
    moved or more where nothing has changed, and how far they have moved, as a share of the range."""
    weights = np.asarray(shift.weights)
    p, q = _shares(reference), _shares(counts)
    more = np.sum(q * weights, axis=(1, 2)) - shift.mean
    codes = max(float(counts[0].sum()) / looks / len(weights), 1.0)
    error = standard_error(shift, p, q, Sizes(samples, looks, codes))
    z = more / np.maximum(error, 1e-9)
    tail = np.array([0.5 * math.erfc(value / math.sqrt(2)) for value in z])
    return tail, SHIFT * more / max(shift.shifted - shift.mean, 1e-9)


@dataclass(frozen=True)
class Sizes:
    """Inputs of the reference and of what is seen, and codes of a channel that are counted of an input."""

    samples: int
    looks: int
    codes: float


def standard_error(shift: Shift, p: Floats, q: Floats, sizes: Sizes) -> Floats:
    """Of the difference of means, for shares of a reference (channels, bins) and seen (windows, channels,
    bins). Where single codes vary more in what is seen, or in both together, than in the reference, this has
    too few of some codes: so that variance holds for both."""
    weights = np.asarray(shift.weights)
    both = (p * sizes.samples + q * sizes.looks) / (sizes.samples + sizes.looks)
    own = _single(p, weights)
    pooled = np.maximum(_single(both, weights), own)
    between = shift.between * (1 + math.sqrt(2 / sizes.samples)) * pooled / np.maximum(own, 1e-12)
    single = np.maximum(pooled, _single(q, weights))
    of_one = np.maximum(between, between * (1 - 1 / sizes.codes) + single / sizes.codes)
    made: Floats = np.sqrt(of_one / sizes.looks + between / sizes.samples)
    return made


def _single(shares: Floats, weights: Floats) -> Floats:
    """Variance of a code's weight, summed over channels."""
    square = np.sum(shares * weights**2, axis=-1) - np.sum(shares * weights, axis=-1) ** 2
    made: Floats = np.sum(np.maximum(square, 0.0), axis=-1)
    return made


def _shares(counts: Counts) -> Floats:
    made: Floats = counts / np.maximum(counts.sum(axis=-1, keepdims=True), 1)
    return made
