# SPDX-License-Identifier: Apache-2.0
"""``make soak``: random networks through the front ends, counted: converted, refused, wrong."""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from tests.convert.frameworks.networks import onnx_networks
from tests.convert.frameworks.networks.reference import differences
from tinyserve.convert.check import stage
from tinyserve.convert.frameworks import front_ends, provision
from tinyserve.convert.session import Session
from tinyserve.convert.settings import Options
from tinyserve.convert.sources import identify
from tinyserve.convert.worker.child import Worker
from tinyserve.datasets import synthetic
from tinyserve.errors import ModelError, TinyserveError
from tinyserve.progress import silent

Outcome = tuple[int, str, str]
"""Seed, what came of it, and why."""


def main() -> int:
    """Exit status 1 where a network became another one, or under 95 % were converted."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", type=int, default=500)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--framework", choices=("onnx", "pytorch"), default="onnx")
    told = parser.parse_args()
    if told.framework == "pytorch" and provision.find("pytorch") is None:
        print("pytorch: not run, its front end is not installed (tinyserve setup --frontend pytorch)")
        return 0
    counts, refused = Counter[str](), Counter[str]()
    with tempfile.TemporaryDirectory() as directory:
        networks = onnx if told.framework == "onnx" else pytorch
        for seed, outcome, what in networks(told.seed, told.models, Path(directory)):
            counts[outcome] += 1
            refused[what] += outcome == "refused"
            if outcome != "converted":
                print(f"seed {seed}: {what}")
    print(", ".join(f"{count} {outcome}" for outcome, count in sorted(counts.items())))
    for what, count in refused.most_common(10):
        if count:
            print(f"  {count} x {what}")
    return int(counts["wrong"] > 0 or counts["converted"] < 0.95 * told.models)


def onnx(first: int, count: int, directory: Path) -> Iterator[Outcome]:
    """In this process."""
    for seed in range(first, first + count):
        try:
            found = differences(onnx_networks.network(seed), directory)
        except TinyserveError as error:
            yield seed, "refused", error.message[:160]
            continue
        wrong = [str(one) for one in found if not one.is_right]
        yield seed, "wrong" if wrong else "converted", "; ".join(wrong)


def pytorch(first: int, count: int, directory: Path) -> Iterator[Outcome]:
    """Through the front end's environment, whose processes stay alive from one model to the next."""
    interpreter = provision.python(provision.require("pytorch"))
    script = Path(__file__).with_name("pytorch_networks.py")
    command = [str(interpreter), str(script), str(directory), str(first), str(count)]
    subprocess.run(command, check=True, timeout=60 + 20 * count, stderr=subprocess.DEVNULL)
    isolated = front_ends.isolated(identify(directory / f"{first}.pt2"))
    assert isolated is not None
    with Worker(silent) as worker, Worker(silent, command=isolated) as loader:
        for seed in range(first, first + count):
            try:
                session = Session(worker, loader, worker, identify(directory / f"{seed}.pt2"), Options())
                stage.verify(session, synthetic.random(session.original.inputs, 2).inputs)
            except ModelError as error:
                changed = "the conversion changed the model" in error.message
                yield seed, "wrong" if changed else "refused", error.message[:300]
            except TinyserveError as error:
                yield seed, "refused", error.message[:300]
            else:
                yield seed, "converted", ""


if __name__ == "__main__":
    sys.exit(main())
