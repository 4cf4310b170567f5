# SPDX-License-Identifier: Apache-2.0
"""Trains a network that tells gestures apart by an accelerometer, on recordings that it makes itself as CSV.

    python examples/gestures/train.py --out build/gestures

Four people rest, shake, draw circles or lift the device. Writes train.csv and test.csv (time, person, x, y,
z, label: 50 rows per second), gestures.joblib and a copy of features.toml.
"""

from __future__ import annotations

import argparse
import csv
import shutil
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import numpy.typing as npt
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from tinyserve.bundle import TensorInfo
from tinyserve.datasets import stream
from tinyserve.datasets.named import Reading
from tinyserve.features import spec
from tinyserve.features.run import FeatureRunner

Array = npt.NDArray[Any]
RATE, LENGTH = 50, 100  # rows per second, rows of a window
GESTURES = ("rest", "shake", "circle", "lift")
HERE = Path(__file__).parent


def movement(gesture: int, rng: np.random.Generator) -> Array:
    """Two seconds in g, [100, 3]: gravity along z, what the hand does, and the sensor's noise."""
    t, phase = np.arange(LENGTH) / RATE, rng.uniform(0, 2 * np.pi)
    strength, pace = rng.uniform(0.7, 1.4), rng.uniform(0.8, 1.25)
    made = np.zeros((LENGTH, 3))
    if gesture == 1:
        made[:, 0] = 1.5 * strength * np.sin(2 * np.pi * 6 * pace * t + phase)
    elif gesture == 2:
        made[:, 0] = 0.7 * strength * np.sin(2 * np.pi * 1.5 * pace * t + phase)
        made[:, 1] = 0.7 * strength * np.cos(2 * np.pi * 1.5 * pace * t + phase)
    elif gesture == 3:
        made[:, 2] = 0.8 * strength * np.sin(2 * np.pi * 0.5 * pace * t + phase)
    made[:, 2] += 1
    return made + rng.normal(size=made.shape) * 0.03


def write(path: Path, windows: int, seed: int) -> None:
    """A table of four people's movements, one after the other."""
    rng = np.random.default_rng(seed)
    with path.open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["time", "person", "x", "y", "z", "label"])
        for person in range(4):
            for number in range(windows):
                gesture = int(rng.integers(len(GESTURES)))
                start = number * LENGTH
                for row, values in enumerate(movement(gesture, rng)):
                    table.writerow([(start + row) / RATE, person, *np.round(values, 4), gesture])


def raw(path: Path, given: spec.Spec) -> tuple[Array, Array]:
    """Windows (N, 100, 3) of the rows of each person, by their times, and their gestures."""
    how = Reading(time="time", entity="person", stride=LENGTH)
    info = TensorInfo("samples", [1, LENGTH, 3], "float32")
    read = stream.load(path, [info], how.in_front_of_features(given.input.rate_hz))
    assert read.labels is not None
    return read.inputs[0], read.labels.astype(np.int64)


def train(out: Path) -> None:
    out.mkdir(parents=True, exist_ok=True)
    write(out / "train.csv", 60, seed=1)
    write(out / "test.csv", 20, seed=2)
    given = spec.load(HERE / "features.toml")
    runner = FeatureRunner(given)
    (x, y), (x_test, y_test) = (raw(out / f"{name}.csv", given) for name in ("train", "test"))
    features, held = (runner.run(one).reshape(len(one), -1) for one in (x, x_test))
    network = make_pipeline(StandardScaler(), MLPClassifier((24,), max_iter=80, random_state=1))
    network.fit(features, y)
    joblib.dump(network, out / "gestures.joblib")
    (out / "gestures.txt").write_text("\n".join(GESTURES) + "\n")
    shutil.copy(HERE / "features.toml", out / "features.toml")
    print(f"gestures: {network.score(held, y_test):.1%} of {len(y_test)} test windows right -> {out}")


def main() -> None:
    parser = argparse.ArgumentParser(description="Train a network that tells gestures apart.")
    parser.add_argument("--out", type=Path, default=Path("build/gestures"))
    train(parser.parse_args().out)


if __name__ == "__main__":
    main()
