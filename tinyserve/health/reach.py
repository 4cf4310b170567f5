# SPDX-License-Identifier: Apache-2.0
"""How small a shift the tests of the means and of the shapes find, by the samples that a profile is of.

An estimate from the profile itself, by the normal distribution: a shift that nine in ten windows show. Where
the shape alone tells, nothing is claimed for shifts beyond the one that it was made for.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from tinyserve.health.channel import SHARES
from tinyserve.health.level import Moments
from tinyserve.health.profile import BINS, CODES, Histogram, Profile
from tinyserve.health.shift import SHIFT, Shift, Sizes, moved_shares, standard_error

LOOKS = 200
_NINE_IN_TEN = NormalDist().inv_cdf(0.9)
_LARGEST = 0.5


@dataclass(frozen=True)
class Reach:
    """``smallest``: the smallest shift of input 0 that is found, as a share of the range; None for one beyond
    half of it. ``samples``: how many a profile must be of for `SHIFT` to be found; None where no profile does
    in so few ``looks``."""

    smallest: float | None
    samples: int | None
    looks: int

    @property
    def is_enough(self) -> bool:
        return self.smallest is not None and self.smallest <= SHIFT


def reach(profile: Profile, rate: float, looks: int = LOOKS) -> Reach | None:
    """Of a shift of all channels of input 0, in ``looks`` inferences at a rate of false alarms. None where
    the profile has no codes, or is of too few samples to tell."""
    levels = [one.level.value for one in profile.codes if one.level is not None]
    if not levels or not looks:
        return None
    sizes = Sizes(profile.samples, looks, max(1.0, _places(profile) / len(profile.codes)))
    tests = len(profile.codes) + bool(profile.together) + bool(profile.confidence) + bool(profile.classes)
    each = rate / tests
    found = [_by_mean(level, sizes, each * SHARES["value"]) for level in levels]
    found += [_by_shape(one.shifts, [one], sizes, each * SHARES["shift"]) for one in profile.codes]
    found.append(_by_shape(profile.together, profile.codes, sizes, each))
    smallest, samples = (min(several) for several in zip(*found, strict=True))
    return Reach(
        smallest if smallest <= _LARGEST else None,
        math.ceil(samples) if math.isfinite(samples) else None,
        looks,
    )


def _places(profile: Profile) -> float:
    """Codes that a device counts of an input."""
    return min(sum(sum(one.counts) for one in profile.codes) / max(profile.samples, 1), CODES)


def _by_mean(known: Moments, sizes: Sizes, rate: float) -> tuple[float, float]:
    """Smallest shift, and samples for `SHIFT`."""
    needed = NormalDist().inv_cdf(1 - rate / 2) + _NINE_IN_TEN
    between = known.between * (1 + math.sqrt(2 / sizes.samples))
    of_seen = (between * (1 - 1 / sizes.codes) + known.single / sizes.codes) / sizes.looks
    error = math.sqrt(of_seen + between / sizes.samples)
    return needed * error / BINS, _samples(SHIFT * BINS / needed, between, of_seen)


def _by_shape(
    shifts: list[Shift], histograms: list[Histogram], sizes: Sizes, rate: float
) -> tuple[float, float]:
    """Of the way that is seen less."""
    needed = NormalDist().inv_cdf(1 - rate / 2) + _NINE_IN_TEN
    counts = np.array([one.counts for one in histograms], np.float64)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    smallest, samples = 0.0, 0.0
    for shift in shifts:
        away = max(shift.shifted - shift.mean, 1e-9)
        seen = moved_shares(shift, shares, sizes.samples)[None]
        error = float(standard_error(shift, shares, seen, sizes)[0])
        endless = Sizes(10**9, sizes.looks, sizes.codes)
        of_seen = float(standard_error(shift, shares, seen, endless)[0]) ** 2
        between = max(error**2 - of_seen, 0.0) * sizes.samples
        z = away / max(error, 1e-9)
        smallest = max(smallest, SHIFT * needed / z if z >= needed else math.inf)
        samples = max(samples, _samples(away / needed, between, of_seen))
    return (smallest, samples) if shifts else (math.inf, math.inf)


def _samples(difference: float, between: float, of_seen: float) -> float:
    """Of a profile by which a standard error is ``difference`` at most."""
    left = difference**2 - of_seen
    return between / left if left > 0 else math.inf
