# SPDX-License-Identifier: Apache-2.0
"""Whether the codes of an input, or of one of its channels, have changed: by their histogram, by their mean,
by their mean place in the bins, and by how a shift would change the histogram. Of all channels together only
the latter is tested."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tinyserve.health.distance import Clusters, Counts, Distances, distances
from tinyserve.health.level import Floats, Window, mean_tail, seen_levels
from tinyserve.health.profile import BINS, Histogram, Profile
from tinyserve.health.shift import SHIFT, Shift, shift_tail

LEAST_PSI = 0.05
"""Below it a difference of histograms is real, perhaps, but no matter."""
LEAST_MOVE = 0.01
"""Of the range, likewise for a mean."""
SHARES = {"histogram": 0.35, "value": 0.45, "place": 0.05, "shift": 0.15}
"""Of the rate of false alarms, by test."""
_FINDS_UP_TO = 1.5 * SHIFT
"""How far the test of shifts can tell: codes that moved further are in bins that it gives no weight."""


@dataclass(frozen=True)
class Comparison:
    """By window. ``p_value``: how likely a difference that matters as much is where nothing has changed, all
    tests taken together; 1 where none matters. ``moved``: of the mean, as a share of the range, upwards."""

    apart: Distances
    p_value: Floats
    moved: Floats


def compare(
    reference: Histogram, samples: int, counts: Counts, fine: Counts | None, looks: int
) -> Comparison:
    """Counts (windows, bins) and fine counts (windows,), where there are any, of ``looks`` inputs each, with
    a reference of ``samples``."""
    apart = distances(reference.counts, counts, clusters(reference, samples, looks))
    changed = np.where(apart.psi >= LEAST_PSI, apart.p_value, 1.0)
    level = reference.level
    if level is None or fine is None or not looks:
        expected = _mean(np.asarray(reference.counts)[None])
        return Comparison(apart, changed, (_mean(counts) - expected) / BINS)
    value, place = seen_levels(counts, fine)
    moved = (value - level.value.mean) / BINS
    window = Window(looks, int(counts[0].sum()))
    matters = np.abs(moved) >= LEAST_MOVE
    tails = {
        "value": np.where(matters, mean_tail(level.value, samples, value, window), 1.0),
        "place": np.where(matters, mean_tail(level.place, samples, place, window), 1.0),
        "histogram": changed,
    }
    counted = np.asarray(reference.counts)[None]
    tails["shift"], by_shape = _shifted(reference.shifts, counted, samples, counts[:, None], looks)
    tails = {test: tail / SHARES[test] for test, tail in tails.items()}
    together = np.min(list(tails.values()), axis=0)
    by_mean = (tails["value"] <= tails["shift"]) | (np.abs(by_shape) > _FINDS_UP_TO)
    return Comparison(apart, np.minimum(together, 1.0), np.where(by_mean, moved, by_shape))


def compare_together(reference: Profile, counts: Counts, looks: int) -> Comparison:
    """Counts (windows, channels, bins) of ``looks`` inputs each, of what moves all channels."""
    known = np.array([histogram.counts for histogram in reference.codes])
    apart = distances([int(count) for count in known.sum(axis=0)], counts.sum(axis=1))
    tail, moved = _shifted(reference.together, known, reference.samples, counts, looks)
    return Comparison(apart, tail, moved)


def _shifted(
    shifts: Sequence[Shift], reference: Counts, samples: int, counts: Counts, looks: int
) -> tuple[Floats, Floats]:
    """Up or down, by window: the chance where nothing has changed, 1 where it does not matter; how far."""
    if not shifts:
        return np.ones(len(counts)), np.zeros(len(counts))
    (up, moved_up), (down, moved_down) = (
        shift_tail(shift, reference, samples, counts, looks) for shift in shifts
    )
    moved = np.where(up <= down, moved_up, -moved_down)
    return np.where(np.abs(moved) >= LEAST_MOVE, np.minimum(2 * np.minimum(up, down), 1.0), 1.0), moved


def clusters(histogram: Histogram, samples: int, looks: int) -> Clusters:
    """How codes of one input belong together; where that is not known, as if they were all the same."""
    if histogram.between:
        return Clusters(np.array(histogram.between), samples, looks)
    counts = np.asarray(histogram.counts, np.float64)
    share = counts / max(counts.sum(), 1.0)
    return Clusters(np.diag(share) - np.outer(share, share), samples, looks)


def _mean(counts: npt.NDArray[np.int64]) -> Floats:
    """In bins (windows,), of their lower ends."""
    made: Floats = counts @ np.arange(BINS) / np.maximum(counts.sum(axis=1), 1)
    return made
