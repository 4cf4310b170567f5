# SPDX-License-Identifier: Apache-2.0
"""Means of an input's codes: known finer than in bins, and tested on their own.

A histogram's chi-square looks in all directions at once, so it needs much for one: a shift within what
samples differ by, or one that leaves grey levels in their bins, is seen by the mean long before. Means are in
bins. A device knows them by dither: it counts the codes whose place in their bin is beyond a threshold that
goes through two bins, which are as many as half of the mean place (`Counters.fine`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import msgspec
import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
PLACES = 16
"""In a bin."""


class Moments(msgspec.Struct, frozen=True):
    """Of values that come in groups, one per input. ``between``: variance over inputs of an input's mean;
    ``single``: of a value, as a device counts it."""

    mean: float
    between: float
    single: float


class Level(msgspec.Struct, frozen=True):
    """Of codes, in bins: where they lie in the range (``value``), and in their bin (``place``)."""

    value: Moments
    place: Moments


@dataclass(frozen=True)
class Window:
    """What is seen: inputs that were looked at, and codes that were counted of them."""

    looks: int
    codes: int


def level_of(codes: npt.NDArray[np.int64]) -> Level:
    """Of codes (samples, places) in sixteenths of a bin."""
    value, place = codes / PLACES, codes % PLACES / PLACES
    dither = float(np.mean(2 * place - place**2))  # variance of twice a count with a chance of place / 2
    return Level(_moments(value, float(value.var()) + dither), _moments(place, float(place.var()) + dither))


def _moments(values: Floats, single: float) -> Moments:
    between = values.mean(axis=1).var(ddof=1)
    return Moments(round(float(values.mean()), 9), round(float(between), 9), round(single, 9))


def seen_levels(counts: npt.NDArray[np.int64], fine: npt.NDArray[np.int64]) -> tuple[Floats, Floats]:
    """Mean value and mean place (windows,), in bins, of counts (windows, bins) and fine counts (windows,)."""
    codes = np.maximum(counts.sum(axis=1), 1)
    place = 2 * fine / codes
    return counts @ np.arange(counts.shape[1]) / codes + place, place


def mean_tail(reference: Moments, samples: int, means: Floats, window: Window) -> Floats:
    """The chance that a mean differs so much or more where nothing has changed; (windows,).

    By the normal distribution. Between inputs variance is as known from the reference's samples, so its upper
    limit of one standard error.
    """
    between = reference.between * (1 + math.sqrt(2 / max(samples, 1)))
    codes = max(window.codes / window.looks, 1.0)
    variance = (between * (1 - 1 / codes) + reference.single / codes) / window.looks + between / samples
    if variance <= 0:
        return np.where(means == reference.mean, 1.0, 0.0)
    scaled = np.abs(means - reference.mean) / math.sqrt(2 * variance)
    return np.array([math.erfc(z) for z in scaled])
