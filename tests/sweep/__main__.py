# SPDX-License-Identifier: Apache-2.0
"""The emitted C of all that can be had, under every build, beside TFLM: ``python -m tests.sweep``.

Models: several cases of every kind of layer, random graphs, and the .tflite files of the directories that
TINYSERVE_SWEEP and TINYSERVE_MODELS name. Ends with status 1 where an output differs.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence

from tests.sweep import cases
from tests.sweep.builds import Build, all_builds
from tests.sweep.compare import differences, with_expected


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=4, help="cases of each kind of layer  [default: 4]")
    parser.add_argument("--first", type=int, default=0, help="the first seed  [default: 0]")
    parser.add_argument(
        "--only", action="append", metavar="TEXT", help="builds whose name has it; repeatable"
    )
    parser.add_argument("--layers", metavar="TEXT", default="", help="kinds and files whose name has it")
    chosen = parser.parse_args(arguments)
    builds = [one for one in all_builds() if any(text in one.name for text in chosen.only or [""])]
    seeds = range(chosen.first, chosen.first + chosen.seeds)
    models = [cases.made(kind, seed) for kind in cases.FAMILIES if chosen.layers in kind for seed in seeds]
    files = [path for directory in cases.directories() for path in sorted(directory.glob("*.tflite"))]
    models += [cases.of_file(path) for path in files if chosen.layers in path.stem]
    expected = with_expected(models)
    print(f"{len(expected)} models ({len(models) - len(expected)} that TFLM refuses), {len(builds)} builds")
    total = sum(_sweep(build, expected) for build in builds)
    print(f"{total} differences")
    return 1 if total or not expected or not builds else 0


def _sweep(build: Build, expected: list[cases.Expected]) -> int:
    """Prints what differs in a build, and returns how many models that are."""
    if build.missing:
        print(f"{build.name}: left out, needs {build.missing}", flush=True)
        return 0
    start, found = time.monotonic(), 0
    for line in differences(expected, build):
        print(line, flush=True)
        found += 1
    print(f"{build.name}: {found} differ, {time.monotonic() - start:.0f} s", flush=True)
    return found


if __name__ == "__main__":
    sys.exit(main())
