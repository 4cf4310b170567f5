# SPDX-License-Identifier: Apache-2.0
"""A plugin that measures tests: ``pytest -p tests.support.cpu_times --cpu-times FILE``.

FILE gets a line per test: its CPU seconds, those of programs that it waited for included, and its name. Other
work of the machine makes these longer by a third at most, where the time on the wall grows without bound.
What fixtures take is left out: they belong to several tests.
"""

from __future__ import annotations

import os
from collections.abc import Generator
from pathlib import Path

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--cpu-times", type=Path, help="a file that gets the CPU seconds of each test")


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None]:
    before = _cpu_s()
    try:
        return (yield)
    finally:
        file: Path | None = item.config.getoption("--cpu-times")
        if file is not None:
            with file.open("a", encoding="utf-8") as lines:  # short lines of several workers stay whole
                lines.write(f"{_cpu_s() - before:.2f} {item.nodeid}\n")


def _cpu_s() -> float:
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system
