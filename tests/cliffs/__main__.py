# SPDX-License-Identifier: Apache-2.0
"""Random layers of every family, counted: which neighbours differ most, and where another kernel would have
taken less.

    python -m tests.cliffs [--each N] [--near N] [--seed N] [--core CORE] [--compiler zig|gcc] [--only KIND]

Ends with status 1 where neighbours differ by over 2 instructions per unit of work, or a kernel takes half as
much again as another that the layer could have had.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from tests.cliffs.counting import Column
from tests.cliffs.jumps import JUMP, SLOWER, choices, jumps, pairs
from tests.cliffs.layers import KINDS

_CORES = ("cortex-m4", "cortex-m55", "cortex-m0")
_SHOWN = 12


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--each", type=int, default=20, help="layers of a kind  [default: 20]")
    parser.add_argument("--near", type=int, default=5, help="neighbours of a layer  [default: 5]")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--core", action="append", choices=_CORES, help="repeatable  [default: all]")
    parser.add_argument("--compiler", action="append", choices=("zig", "gcc"), help="[default: both]")
    parser.add_argument("--only", action="append", metavar="KIND", help="of layers; repeatable")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--directory", type=Path, default=Path("build/cliffs"), help="objects are kept there")
    chosen = parser.parse_args(arguments)
    kinds = [kind for kind in KINDS if not chosen.only or kind.__name__ in chosen.only]
    drawn = pairs(kinds, chosen.each, chosen.near, chosen.seed)
    failed = 0
    for core in chosen.core or _CORES:
        for compiler in chosen.compiler or ("zig", "gcc"):
            start, column = time.monotonic(), Column(core, compiler)
            directory = chosen.directory / f"{core}-{compiler}"
            found = jumps(drawn, column, directory, chosen.jobs)
            priced = choices([layer for layer, _ in drawn], column, directory, chosen.jobs)
            over = sum(jump.size > JUMP for jump in found)
            slower = sum(choice.ratio > SLOWER for choice in priced)
            print(f"{column}: {over} of {len(found)} pairs, {slower} of {len(priced)} choices", end=", ")
            print(f"{time.monotonic() - start:.0f} s", flush=True)
            for line in [*found[:_SHOWN], *priced[:_SHOWN]]:
                print(f"  {line}")
            failed += over + slower
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
