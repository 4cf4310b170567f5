# SPDX-License-Identifier: Apache-2.0
"""Converts random Keras models and compares each with its original:
``python -m tests.convert.soak --seconds 3600 [--first SEED] [--schemes int8,int16x8,float32]``.

Prints one line per model that is wrong, with its seed, and ends with status 1 if there was any.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tinyserve.bundle import Bundle
from tinyserve.convert import convert
from tinyserve.errors import TinyserveError

_BATCH = 20
_LEAST_DB = {"int8": 12.0, "int16x8": 25.0, "float32": 90.0}


def make(out: Path, first: int, count: int) -> None:
    """The models of ``random_models``, in a process that has TensorFlow."""
    script = Path(__file__).with_name("random_models.py")
    made = subprocess.run(
        [sys.executable, script, out, str(first), str(count)],
        capture_output=True, text=True, timeout=600, check=False,
    )  # fmt: skip
    assert made.returncode == 0, made.stderr


def problems(directory: Path, seed: int, scheme: str) -> list[str]:
    """What is wrong with the conversion of one model."""
    source, data = directory / f"{seed}.keras", directory / f"{seed}.npz"
    try:
        made = convert(source, representative=data, quantize=scheme, output=directory / f"{seed}.{scheme}")
    except TinyserveError as error:
        return [f"{type(error).__name__}: {error}"]
    return [*_misnamed(made, json.loads((directory / f"{seed}.json").read_text())), *_far(made, scheme)]


def _misnamed(made: Bundle, names: dict[str, list[str]]) -> list[str]:
    inputs = [info.name for info in made.manifest.inputs]
    outputs = [info.name for info in made.manifest.outputs]
    wrong = (inputs, outputs) != (names["inputs"], names["outputs"])
    return [f"{inputs} → {outputs} instead of {names}"] if wrong else []


def _far(made: Bundle, scheme: str) -> list[str]:
    return [
        f"{output.name}: {output.sqnr_db:.1f} dB"
        for output in made.manifest.accuracy
        if output.sqnr_db is not None and not output.sqnr_db > _LEAST_DB[scheme]
    ]


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=3600)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--schemes", default="int8,int16x8,float32")
    chosen = parser.parse_args()
    end, seed, wrong = time.monotonic() + chosen.seconds, chosen.first, 0
    while time.monotonic() < end:
        with tempfile.TemporaryDirectory() as name:
            make(Path(name), seed, _BATCH)
            for current in range(seed, seed + _BATCH):
                scheme = chosen.schemes.split(",")[current % len(chosen.schemes.split(","))]
                for problem in problems(Path(name), current, scheme):
                    print(f"{current} {scheme}: {problem}", flush=True)
                    wrong += 1
                if time.monotonic() > end:
                    break
        seed += _BATCH
    print(f"{seed - chosen.first} models, {wrong} problems")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
