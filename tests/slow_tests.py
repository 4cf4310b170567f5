# SPDX-License-Identifier: Apache-2.0
"""Keeps slow_tests.txt, the tests that take over a second of CPU: ``python -m tests.slow_tests FILE...``.

The files are those of ``tests.support.cpu_times``; tests that they do not name stay as they are,
unless they are gone. `make
test-fast` leaves out the tests of the list, and those that are marked `slow`.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from tests.support.places import CHECKOUT

LIST = Path(__file__).with_name("slow_tests.txt")
_SLOW_S = 1.0
_FAST_AGAIN_S = 0.7
"""Below that a test leaves the list: one that takes a second would come and go."""


_HEAD = "# SPDX-License-Identifier: Apache-2.0\n# Written by `make slow-tests`.\n"


def listed() -> frozenset[str]:
    """Their names, as pytest writes them."""
    lines = LIST.read_text(encoding="utf-8").splitlines()
    return frozenset(line for line in lines if not line.startswith("# "))


def updated(known: Iterable[str], measured: Iterable[str]) -> list[str]:
    """The list after a measurement, whose lines are seconds and names."""
    slow = set(known)
    for line in measured:
        seconds, _, name = line.partition(" ")
        if float(seconds) >= _SLOW_S:
            slow.add(name)
        elif float(seconds) < _FAST_AGAIN_S:
            slow.discard(name)
    return sorted(slow)


def is_there(name: str) -> bool:
    """Whether the test's function is still in its file."""
    file, _, test = name.partition("::")
    function = test.partition("[")[0].rpartition("::")[2]
    path = CHECKOUT / file
    return path.is_file() and f"def {function}(" in path.read_text(encoding="utf-8")


def main(files: Sequence[str]) -> None:
    measured = [line for file in files for line in Path(file).read_text(encoding="utf-8").splitlines()]
    slow = updated(filter(is_there, listed()), measured)
    LIST.write_text(_HEAD + "".join(f"{name}\n" for name in slow), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
