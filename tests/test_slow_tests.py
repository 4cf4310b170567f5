# SPDX-License-Identifier: Apache-2.0
"""The list of slow tests names tests that there are, and follows a measurement."""

from __future__ import annotations

import pytest

from tests.slow_tests import listed, updated
from tests.support.places import CHECKOUT


def test_every_listed_test_is_there() -> None:
    functions = {name.partition("[")[0] for name in listed()}
    for file in {function.partition("::")[0] for function in functions}:
        assert (CHECKOUT / file).is_file(), f"{file} is gone: take its lines out of tests/slow_tests.txt"
        text = (CHECKOUT / file).read_text(encoding="utf-8")
        for function in (one for one in functions if one.startswith(f"{file}::")):
            assert f"def {function.rpartition('::')[2]}(" in text, f"{function} is gone from its file"


@pytest.mark.parametrize(
    ("measured", "slow"), [("1.00", ["a", "b"]), ("0.90", ["a"]), ("0.10", ["a"]), ("7.25", ["a", "b"])]
)
def test_what_takes_a_second_is_listed(measured: str, slow: list[str]) -> None:
    assert updated(["a"], [f"{measured} b"]) == slow


@pytest.mark.parametrize(("measured", "slow"), [("0.69", []), ("0.70", ["a [b]"]), ("3.00", ["a [b]"])])
def test_what_is_fast_again_leaves_it(measured: str, slow: list[str]) -> None:
    assert updated(["a [b]"], [f"{measured} a [b]"]) == slow
