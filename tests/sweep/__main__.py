# SPDX-License-Identifier: Apache-2.0
"""The emitted C of all that can be had, under every build, beside TFLM: ``python -m tests.sweep``.

Models: several cases of every kind of layer, random graphs, and the .tflite files of the directories that
TINYSERVE_SWEEP and TINYSERVE_MODELS name. Ends with status 1 where an output differs.

The whole takes hours; ``--models cover`` has every kernel and every way of sharing memory in each build, and
takes some 30 s per build (see cover.py).
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from typing import get_args

from tests.sweep import cases
from tests.sweep.builds import Build, all_builds
from tests.sweep.compare import outcomes_that_differ, with_expected
from tests.sweep.cover import Chooser, Part


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=4, help="cases of each kind of layer  [default: 4]")
    parser.add_argument("--first", type=int, default=0, help="the first seed  [default: 0]")
    parser.add_argument(
        "--only", action="append", metavar="TEXT", help="builds whose name has it; repeatable"
    )
    parser.add_argument("--layers", metavar="TEXT", default="", help="kinds and files whose name has it")
    parser.add_argument(
        "--models", choices=get_args(Part), default="whole", help="which models a build has  [default: whole]"
    )
    chosen = parser.parse_args(arguments)
    every = all_builds()
    builds = [one for one in every if any(text in one.name for text in chosen.only or [""])]
    seeds = range(chosen.first, chosen.first + chosen.seeds)
    models = [cases.made(kind, seed) for kind in cases.FAMILIES if chosen.layers in kind for seed in seeds]
    files = [path for directory in cases.directories() for path in sorted(directory.glob("*.tflite"))]
    models += [cases.of_file(path) for path in files if chosen.layers in path.stem]
    expected = with_expected(models)
    print(f"{len(expected)} models ({len(models) - len(expected)} that TFLM refuses), {len(builds)} builds")
    chooser = Chooser(expected, every)
    total = sum(_sweep(build, chooser, chosen.models) for build in builds)
    print(f"{total} differences")
    return 1 if total or not expected or not builds else 0


def _sweep(build: Build, chooser: Chooser, part: Part) -> int:
    """Prints what differs in a build, and returns how many models that are."""
    if build.missing:
        print(f"{build.name}: left out, needs {build.missing}", flush=True)
        return 0
    start, found = time.monotonic(), 0
    models = chooser.part(build, part)
    for line in outcomes_that_differ(models, build):
        print(line, flush=True)
        found += 1
    print(f"{build.name}: {found} of {len(models)} differ, {time.monotonic() - start:.0f} s", flush=True)
    return found


if __name__ == "__main__":
    sys.exit(main())
