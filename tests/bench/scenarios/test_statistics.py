# SPDX-License-Identifier: Apache-2.0
"""Nearest-rank percentiles: against the definition, and against known values."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinyserve.bench.scenarios.statistics import percentile, summarize

values = st.lists(st.floats(0, 1e12), min_size=1, max_size=200)


@given(values, st.integers(1, 100))
def test_a_percentile_is_a_measured_value_with_enough_values_below_it(
    found: list[float], percent: int
) -> None:
    ordered = sorted(found)
    value = percentile(ordered, percent)
    assert value in ordered
    assert 100 * sum(other <= value for other in ordered) >= percent * len(ordered)
    assert 100 * sum(other < value for other in ordered) < percent * len(ordered)


def test_known_percentiles_of_one_to_a_hundred() -> None:
    ordered = [float(value) for value in range(1, 101)]
    assert [percentile(ordered, percent) for percent in (0, 50, 90, 99, 100)] == [1, 50, 90, 99, 100]


def test_fractions_that_binary_cannot_hold_do_not_move_the_rank() -> None:
    assert percentile([float(value) for value in range(1, 1001)], 99.9) == 999


@pytest.mark.parametrize("percent", [-1, 101, float("nan")])
def test_a_percent_outside_0_to_100_is_refused(percent: float) -> None:
    with pytest.raises(ValueError, match="between 0 and 100"):
        percentile([1.0], percent)


def test_no_values_are_refused() -> None:
    with pytest.raises(ValueError, match="no values"):
        summarize([], "us")


def test_a_summary_orders_its_figures_and_keeps_unit_and_counts() -> None:
    summary = summarize([5.0, 1.0, 3.0, 2.0, 4.0], "us", warmup=2)
    assert (summary.minimum, summary.median, summary.maximum, summary.mean) == (1, 3, 5, 3)
    assert (summary.unit, summary.runs, summary.warmup) == ("us", 5, 2)
