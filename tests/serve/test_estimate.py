# SPDX-License-Identifier: Apache-2.0
"""What is promised is the longest of the last inferences, and a margin."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinyserve.serve.estimate import MARGIN, REMEMBERED, SLACK_S, ServiceTime


@given(st.lists(st.floats(0, 10), max_size=200))
def test_the_bound_is_that_of_the_longest_of_the_last(seconds: list[float]) -> None:
    service = ServiceTime(1.0)
    for one in seconds:
        before = service.bound_s
        assert service.saw(one) == (service.bound_s != before)
    longest = max([1.0, *seconds][-REMEMBERED:])
    assert service.bound_s == pytest.approx(longest * MARGIN + SLACK_S)
