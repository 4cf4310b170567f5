# SPDX-License-Identifier: Apache-2.0
"""Statistics of repeated measurements. Percentiles are nearest-rank: each figure is one that was measured."""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec


class Statistics(msgspec.Struct, frozen=True):
    """Minimum, median, p90, p99 and maximum of ``runs`` measurements after ``warmup`` that were left out.

    ``unit`` is the measurements' unit: instructions, cycles, us or ns.
    """

    unit: str
    runs: int
    warmup: int
    minimum: float
    median: float
    mean: float
    p90: float
    p99: float
    maximum: float


def percentile(ordered: Sequence[float], percent: float) -> float:
    """The nearest-rank percentile of values in ascending order: the smallest value such that at least
    ``percent`` % of all are no larger. Raises ValueError for no values or a percent outside 0..100."""
    if not ordered:
        raise ValueError("no values")
    if not 0 <= percent <= 100:
        raise ValueError(f"a percentile lies between 0 and 100, not at {percent}")
    # In integers of a billionth of a percent: 0.1 * 3 must not become 0.30000000000000004 and the next rank.
    rank = -(-round(percent * 10**9) * len(ordered) // (100 * 10**9))
    return ordered[max(rank, 1) - 1]


def summarize(values: Sequence[float], unit: str, warmup: int = 0) -> Statistics:
    """Statistics of ``values`` (warm-up already left out). Raises ValueError where there are none."""
    ordered = sorted(values)
    return Statistics(
        unit=unit,
        runs=len(ordered),
        warmup=warmup,
        minimum=percentile(ordered, 0),
        median=percentile(ordered, 50),
        mean=math.fsum(ordered) / len(ordered),
        p90=percentile(ordered, 90),
        p99=percentile(ordered, 99),
        maximum=ordered[-1],
    )
