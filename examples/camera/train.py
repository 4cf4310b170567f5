# SPDX-License-Identifier: Apache-2.0
"""Trains a network that says which colour of ball lies before a camera, on frames in RGB565 that it makes.

    python examples/camera/train.py --out build/camera

Writes camera.joblib, train.npz and test.npz (frames of 40 x 60 pixels as bytes, and what they show), and a
copy of features.toml.
"""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import numpy.typing as npt
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from tinyserve.features import spec
from tinyserve.features.run import FeatureRunner

Array = npt.NDArray[Any]
HEIGHT, WIDTH = 40, 60
BALLS = ("nothing", "red", "green", "blue")
COLOURS = np.array([[0.9, 0.15, 0.1], [0.15, 0.75, 0.2], [0.1, 0.25, 0.9]])
HERE = Path(__file__).parent


def frame(ball: int, rng: np.random.Generator) -> Array:
    """RGB, 0 to 1: a table in some light, and a ball somewhere in the middle."""
    light = rng.uniform(0.5, 1.0)
    picture = np.full((HEIGHT, WIDTH, 3), rng.uniform(0.3, 0.6)) * np.array([1.0, 0.95, 0.85])
    if ball:
        y, x = np.mgrid[:HEIGHT, :WIDTH]
        radius = rng.uniform(5, 9)
        inside = np.hypot(y - rng.uniform(12, 28), x - rng.uniform(22, 38)) < radius
        picture[inside] = COLOURS[ball - 1] * rng.uniform(0.8, 1.1)
    return np.clip(picture * light + rng.normal(size=picture.shape) * 0.03, 0, 1)


def rgb565(picture: Array) -> Array:
    """[height, width, 2] bytes: 5 bits of red, 6 of green, 5 of blue, the high byte first."""
    red, green, blue = (
        np.round(picture[..., i] * most).astype(np.uint16) for i, most in enumerate((31, 63, 31))
    )
    words = red << 11 | green << 5 | blue
    return np.stack([words >> 8, words & 255], axis=-1).astype(np.uint8)


def frames(count: int, seed: int) -> tuple[Array, Array]:
    rng = np.random.default_rng(seed)
    shown = rng.integers(len(BALLS), size=count)
    return np.stack([rgb565(frame(int(ball), rng)) for ball in shown]), shown


def train(out: Path) -> None:
    given = spec.load(HERE / "features.toml")
    (x, y), (x_test, y_test) = frames(600, seed=1), frames(200, seed=2)
    runner = FeatureRunner(given)
    features, held = (runner.run(one).reshape(len(one), -1) for one in (x, x_test))
    network = make_pipeline(StandardScaler(), MLPClassifier((24,), max_iter=60, random_state=1))
    network.fit(features, y)

    out.mkdir(parents=True, exist_ok=True)
    joblib.dump(network, out / "camera.joblib")
    np.savez_compressed(out / "train.npz", x=x, y=y)
    np.savez_compressed(out / "test.npz", x=x_test, y=y_test)
    (out / "balls.txt").write_text("\n".join(BALLS) + "\n")
    shutil.copy(HERE / "features.toml", out / "features.toml")
    print(f"camera: {network.score(held, y_test):.1%} of {len(y_test)} test frames right -> {out}")


def main() -> None:
    parser = argparse.ArgumentParser(description="Train a network that tells balls by their colour.")
    parser.add_argument("--out", type=Path, default=Path("build/camera"))
    train(parser.parse_args().out)


if __name__ == "__main__":
    main()
