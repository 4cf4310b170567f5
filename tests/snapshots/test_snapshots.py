# SPDX-License-Identifier: Apache-2.0
"""What is printed is what was last looked at. `make snapshots` takes what is printed now."""

from __future__ import annotations

import pytest

from tests.snapshots.printed import EXPECTED, printed

NAMES = sorted(path.name.removesuffix(".snapshot") for path in EXPECTED.glob("*.snapshot"))


@pytest.fixture(scope="module")
def now() -> dict[str, str]:
    return printed()


def test_all_that_is_printed_has_a_snapshot(now: dict[str, str]) -> None:
    assert sorted(now) == NAMES, "run `make snapshots`"


@pytest.mark.parametrize("name", NAMES)
def test_it_is_printed_as_its_snapshot_says(name: str, now: dict[str, str]) -> None:
    expected = (EXPECTED / f"{name}.snapshot").read_text(encoding="utf-8")
    assert now[name] == expected, "if that is meant, run `make snapshots` and read the difference"


def test_what_is_printed_does_not_change_by_itself(now: dict[str, str]) -> None:
    assert printed() == now
