# SPDX-License-Identifier: Apache-2.0
"""What is promised is the longest of the last inferences, and a margin; what is long ago does not count."""

from __future__ import annotations

from statistics import median

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinyserve.serve.estimate import MARGIN, REMEMBERED, REMEMBERED_S, SLACK_S, ServiceTime

SECONDS = st.lists(st.floats(0, 10), min_size=1, max_size=200)


@given(SECONDS)
def test_the_bound_is_that_of_the_longest_of_the_last(seconds: list[float]) -> None:
    service = ServiceTime([1.0], 0.0)
    for one in seconds:
        service.saw(one, 1.0)
    longest = max([1.0, *seconds][-REMEMBERED:])
    assert service.bound_s(2.0) == pytest.approx(longest * MARGIN + SLACK_S)


@given(SECONDS)
def test_of_what_is_long_ago_the_median_counts(seconds: list[float]) -> None:
    service = ServiceTime([1.0], 0.0)
    for one in seconds:
        service.saw(one, 1.0)
    usual = median([1.0, *seconds][-REMEMBERED:])
    assert service.bound_s(2.0 + REMEMBERED_S) == pytest.approx(usual * MARGIN + SLACK_S)


def test_one_slow_inference_is_forgotten_though_nothing_else_is_run() -> None:
    service = ServiceTime([0.1, 0.1, 0.1], 0.0)
    service.saw(9.0, 10.0)
    assert service.bound_s(11.0) > 9.0
    assert service.bound_s(11.0 + REMEMBERED_S) < 0.2
