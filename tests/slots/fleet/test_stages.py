# SPDX-License-Identifier: Apache-2.0
"""The sizes of stages."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinyserve.errors import UsageError
from tinyserve.slots.fleet.stages import sizes


@pytest.mark.parametrize(
    ("canary", "then", "devices", "wanted"),
    [
        ("1", ["10%", "all"], 200, [1, 20, 200]),
        ("1", ["10%", "all"], 5, [1, 5]),
        ("1", ["all"], 1, [1]),
        ("2%", ["50%"], 10, [1, 5]),
        ("3", ["3", "100%"], 7, [3, 7]),
        ("50", ["all"], 7, [7]),
    ],
)
def test_stages_are_what_has_the_model_after_them(
    canary: str, then: list[str], devices: int, wanted: list[int]
) -> None:
    assert sizes(canary, then, devices) == wanted


@pytest.mark.parametrize("text", ["0", "-1", "101%", "half", "", "1.5", "10 %", "1e3", "99999999"])
def test_other_words_are_refused(text: str) -> None:
    with pytest.raises(UsageError):
        sizes("1", [text], 10)
    with pytest.raises(UsageError):
        sizes(text, ["all"], 10)


def test_a_fleet_does_not_shrink() -> None:
    with pytest.raises(UsageError, match="fewer than the stage before"):
        sizes("50%", ["10%"], 100)


@given(st.lists(st.integers(1, 100), min_size=1, max_size=5), st.integers(1, 10_000))
def test_each_stage_adds_and_none_is_larger_than_the_fleet(shares: list[int], devices: int) -> None:
    first, *rest = (f"{share}%" for share in sorted(shares))
    made = sizes(first, [*rest, "all"], devices)
    assert made == sorted(set(made))
    assert made[0] >= 1 and made[-1] == devices
