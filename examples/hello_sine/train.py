# SPDX-License-Identifier: Apache-2.0
"""Trains the smallest useful network: sin(x) for x in 0..2*pi, by three dense layers.

    python examples/hello_sine/train.py --out build/hello_sine

writes hello_sine.keras, calib.npz (inputs ``x``) and test.npz (``x`` and the true ``sine``).
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np

SEED = 1


def samples(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """x (count, 1) uniform in 0..2*pi, and sin(x)."""
    x = np.random.default_rng(seed).uniform(0, 2 * np.pi, (count, 1)).astype(np.float32)
    return x, np.sin(x)


def build_model():
    """1 -> 16 -> 16 -> 1: 321 parameters."""
    import keras
    from keras import layers

    return keras.Sequential(
        [
            layers.Input((1,), name="x"),
            layers.Dense(16, activation="relu"),
            layers.Dense(16, activation="relu"),
            layers.Dense(1),
        ],
        name="hello_sine",
    )


def train(out: Path, epochs: int) -> None:
    import keras

    keras.utils.set_random_seed(SEED)
    x, y = samples(2000, SEED)
    x_test, y_test = samples(200, SEED + 1)
    model = build_model()
    model.compile(keras.optimizers.Adam(5e-3), "mse")
    model.fit(x, y, batch_size=64, epochs=epochs, verbose=0)
    error = float(np.abs(model.predict(x_test, verbose=0) - y_test).mean())

    out.mkdir(parents=True, exist_ok=True)
    np.savez(out / "calib.npz", x=x[:300])
    np.savez(out / "test.npz", x=x_test, sine=y_test)
    model.save(out / "hello_sine.keras")
    print(f"hello_sine: {model.count_params()} parameters, mean error {error:.3f} -> {out}")


def main() -> None:
    parser = argparse.ArgumentParser(description="Train a network that computes a sine.")
    parser.add_argument("--out", type=Path, default=Path("build/hello_sine"))
    parser.add_argument("--epochs", type=int, default=100)
    arguments = parser.parse_args()
    train(arguments.out, arguments.epochs)


if __name__ == "__main__":
    main()
