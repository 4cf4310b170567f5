# SPDX-License-Identifier: Apache-2.0
"""Learns how a machine vibrates when all is well, from recordings that it makes itself, and finds a bearing
that begins to fail: no network, and no example of a fault in the training data.

    python examples/vibration/train.py --out build/vibration

Writes train.npz and test.npz (windows of 512 samples), faults.npz (which of the test's windows have a bearing
that knocks), vibration.tflite (the features alone) and pipeline.toml with the centroids of the good windows'
features.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.cluster import KMeans

from tinyserve.features import spec
from tinyserve.features.model import written
from tinyserve.features.run import FeatureRunner

Array = npt.NDArray[Any]
RATE, LENGTH, SPEEDS = 2000, 512, (20.0, 33.0)  # samples per second, of a window, turns per second
HERE = Path(__file__).parent
PIPELINE = """# Written by train.py: the centroids are those of its good recordings.
[[nodes]]
name = "vibration"
model = "vibration.tflite"

[[nodes]]
name = "unusual"
kind = "anomaly"
input = "vibration"
centroids = {centroids}
scales = {scales}

[[nodes]]
name = "alarm"
kind = "decision"
input = "unusual"
enter = {enter}
hold = 3
within = 5

[outputs]
distance = "unusual"
"""


def recording(windows: int, knocks: float, rng: np.random.Generator) -> Array:
    """Windows (N, 512) int16 of one run at one speed: imbalance, gears, noise; a bearing that knocks."""
    t = np.arange(windows * LENGTH) / RATE
    speed = rng.choice(SPEEDS) * rng.uniform(0.98, 1.02)
    wave = np.sin(2 * np.pi * speed * t) + 0.4 * np.sin(2 * np.pi * 7 * speed * t + rng.uniform(0, 6))
    wave += rng.normal(size=len(t)) * 0.15
    since = np.mod(t, 1 / (3.6 * speed))
    wave += knocks * np.exp(-since * 300) * np.sin(2 * np.pi * 700 * since)
    return (wave * 1000).astype(np.int16).reshape(windows, LENGTH)


def train(out: Path) -> None:
    rng = np.random.default_rng(1)
    good = np.concatenate([recording(20, 0.0, rng) for _ in range(20)])
    given = spec.load(HERE / "features.toml")
    runner = FeatureRunner(given)
    features = runner.run(good).reshape(len(good), -1)
    scales = features.std(axis=0)
    found = KMeans(len(SPEEDS) * 2, n_init=1, random_state=1).fit(features / scales)
    distance = found.transform(features / scales).min(axis=1)
    enter = 1.3 * float(np.quantile(distance, 0.999))

    out.mkdir(parents=True, exist_ok=True)
    centroids = np.round(found.cluster_centers_.astype(float) * scales, 4).tolist()
    rounded = np.round(scales.astype(float), 5).tolist()
    text = PIPELINE.format(centroids=centroids, scales=rounded, enter=round(enter, 3))
    (out / "pipeline.toml").write_text(text)
    (out / "vibration.tflite").write_bytes(written(given)[0])
    healthy, failing = (np.concatenate([recording(20, k, rng) for _ in range(4)]) for k in (0.0, 0.8))
    test, faults = np.concatenate([healthy, failing]), np.repeat([0, 1], [len(healthy), len(failing)])
    np.savez_compressed(out / "train.npz", x=good)
    np.savez_compressed(out / "test.npz", x=test)
    np.savez_compressed(out / "faults.npz", y=faults)
    far = found.transform(runner.run(test).reshape(len(test), -1) / scales).min(axis=1) >= enter
    print(
        f"vibration: unusual are {far[faults == 1].mean():.1%} of windows with a failing bearing, "
        f"{far[faults == 0].mean():.1%} of others -> {out}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description="Learn how a machine vibrates when all is well.")
    parser.add_argument("--out", type=Path, default=Path("build/vibration"))
    train(parser.parse_args().out)


if __name__ == "__main__":
    main()
