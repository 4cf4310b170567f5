# SPDX-License-Identifier: Apache-2.0
"""``make soak``: random networks through the front ends, counted: converted, refused, wrong (another network,
or one that the quantizer does not take).
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from tests.convert.frameworks.networks import onnx_networks
from tests.convert.frameworks.networks.reference import differences, imported
from tinyserve.compiler.graph import reader
from tinyserve.convert.check import stage
from tinyserve.convert.frameworks import front_ends, provision
from tinyserve.convert.quantize import quantizer
from tinyserve.convert.session import Session
from tinyserve.convert.settings import Options
from tinyserve.convert.sources import identify
from tinyserve.convert.tflite import tidy
from tinyserve.convert.worker.child import Worker
from tinyserve.convert.worker.messages import Quantize
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
        network = onnx_networks.network(seed)
        try:
            found = differences(network, directory)
            made = imported(network, directory)[0].tflite
        except TinyserveError as error:
            yield seed, "refused", error.message[:160]
            continue
        wrong = [str(one) for one in found if not one.is_right]
        wrong += _not_quantized(made, seed, directory)
        yield seed, "wrong" if wrong else "converted", "; ".join(wrong)


def _not_quantized(made: bytes, seed: int, directory: Path) -> list[str]:
    """Why the quantizer refuses it, where it does."""
    source = directory / "float.tflite"
    source.write_bytes(tidy.tidied(made))
    random = np.random.default_rng(seed)
    samples = [
        random.normal(size=(8, *tensor.shape)).astype(tensor.dtype.numpy)
        for tensor in reader.read(source.read_bytes()).main.inputs
    ]
    request = Quantize(
        source=source, output=source, samples=source, scheme="int8", per_channel=True, keep_float=[], clip=""
    )
    try:
        quantizer.quantize(request, samples, silent)
    except TinyserveError as error:
        return [error.message]
    return []


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
