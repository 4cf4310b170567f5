# SPDX-License-Identifier: Apache-2.0
"""Whether the codes of an input, or of one of its channels, have changed: by their histogram, by their mean,
and by their mean place in the bins."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tinyserve.health.distance import Clusters, Counts, Distances, distances
from tinyserve.health.level import Floats, Window, mean_tail, seen_levels
from tinyserve.health.profile import BINS, Histogram

LEAST_PSI = 0.05
"""Below it a difference of histograms is real, perhaps, but no matter."""
LEAST_MOVE = 0.01
"""Of the range, likewise for a mean."""
_SHARES = {"histogram": 0.45, "value": 0.45, "place": 0.1}
"""Of the rate of false alarms, by test."""


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
    tails = {
        "histogram": changed,
        "value": mean_tail(level.value, samples, value, window),
        "place": mean_tail(level.place, samples, place, window),
    }
    matters = np.abs(moved) >= LEAST_MOVE
    for test in ("value", "place"):
        tails[test] = np.where(matters, tails[test], 1.0)
    together = np.min([tail / _SHARES[test] for test, tail in tails.items()], axis=0)
    return Comparison(apart, np.minimum(together, 1.0), moved)


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
