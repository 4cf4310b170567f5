# SPDX-License-Identifier: Apache-2.0
"""The list of slow tests follows a measurement."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import slow_tests
from tests.slow_tests import listed, updated


def test_what_is_gone_leaves_the_list(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here = "tests/test_slow_tests.py::test_what_is_gone_leaves_the_list"
    names = [here, f"{here}[a b]", f"{here}_s", "tests/test_gone.py::test_it"]
    (tmp_path / "slow.txt").write_text("".join(f"{name}\n" for name in names))
    monkeypatch.setattr(slow_tests, "LIST", tmp_path / "slow.txt")
    (tmp_path / "times.txt").write_text("2.50 tests/test_new.py::test_it[x: y]\n")
    slow_tests.main([str(tmp_path / "times.txt")])
    assert listed() == {here, f"{here}[a b]", "tests/test_new.py::test_it[x: y]"}


@pytest.mark.parametrize(
    ("measured", "slow"), [("1.00", ["a", "b"]), ("0.90", ["a"]), ("0.10", ["a"]), ("7.25", ["a", "b"])]
)
def test_what_takes_a_second_is_listed(measured: str, slow: list[str]) -> None:
    assert updated(["a"], [f"{measured} b"]) == slow


@pytest.mark.parametrize(("measured", "slow"), [("0.69", []), ("0.70", ["a [b]"]), ("3.00", ["a [b]"])])
def test_what_is_fast_again_leaves_it(measured: str, slow: list[str]) -> None:
    assert updated(["a [b]"], [f"{measured} a [b]"]) == slow
