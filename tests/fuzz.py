# SPDX-License-Identifier: Apache-2.0
"""Differential and mutation fuzzing with fresh seeds, for hours: ``python -m tests.fuzz --hours 8``.

A round is one module of differential tests (operators, random graphs) with seeds of its own, or a few hundred
mutated models for the reader. The first failure ends it and says how to repeat that round.
"""

from __future__ import annotations

import argparse
import itertools
import os
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.support.fuzz_seed import VARIABLE

ROOT = Path(__file__).resolve().parents[1]
GRAPHS = tuple(f"tests/compiler/passes/test_{name}.py" for name in ("optimize", "random_graphs", "reshapes"))
MUTATIONS = "tests/compiler/graph/test_mutations.py"
PROTOCOL = "tests/firmware/test_fuzz.py"  # libFuzzer, which takes a seed of its own from ours
_ROUND_TIMEOUT_S = 1200


def modules() -> list[str]:
    """What a cycle goes through. The test of emulated cores, which builds firmware, and those that go through
    the cases of all others stay out."""
    files = sorted((ROOT / "tests/compiler/ops").rglob("test_*.py"))
    left_out = ("test_on_emulated_cores.py", "test_run_time_operands.py", "test_wheel_coverage.py")
    found = [path for path in files if "import Case" in path.read_text() and path.name not in left_out]
    differential = [path.relative_to(ROOT).as_posix() for path in found]
    return [*differential, *GRAPHS, MUTATIONS, PROTOCOL]


def rounds(first_seed: int, chosen: Sequence[str]) -> Iterator[tuple[int, str]]:
    """Seeds and modules, without end."""
    for cycle in itertools.count():
        for name in chosen:
            yield first_seed + cycle, name


def run(seed: int, module: str) -> int:
    """One round in a process of its own; its output is shown where it fails. Returns its exit status."""
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-x",
        "-q",
        "-p",
        "no:randomly",
        "-m",
        "not models",
    ]
    environment = {**os.environ, VARIABLE: str(seed)}
    done = subprocess.run(
        [*command, module], cwd=ROOT, env=environment, capture_output=True, text=True,
        timeout=_ROUND_TIMEOUT_S, check=False,
    )  # fmt: skip
    if done.returncode:
        print(done.stdout[-8000:], done.stderr[-2000:], sep="\n")
    return done.returncode


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hours", type=float, default=1.0, help="how long; the round under way is finished")
    parser.add_argument("--seed", type=int, help="the first seed, to repeat a run  [default: a fresh one]")
    parser.add_argument("--only", action="append", choices=modules(), help="a module; repeatable")
    chosen = parser.parse_args(arguments)
    first = secrets.randbelow(1 << 30) if chosen.seed is None else chosen.seed
    end = time.monotonic() + chosen.hours * 3600
    for number, (seed, module) in enumerate(rounds(first, chosen.only or modules())):
        if number and time.monotonic() >= end:
            print(f"{number} rounds from seed {first}: nothing found")
            return 0
        print(f"seed {seed}: {module}", flush=True)
        if run(seed, module):
            print(f"repeat: python -m tests.fuzz --hours 0 --seed {seed} --only {module}")
            return 1
    raise AssertionError("rounds have no end")


if __name__ == "__main__":
    sys.exit(main())
