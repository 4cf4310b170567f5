# SPDX-License-Identifier: Apache-2.0
"""Trains a small CNN on scikit-learn's handwritten digits: 1,797 real 8x8 images, a few seconds.

    python examples/digits/train.py --out build/digits

writes digits.keras, calib.npz (training images, for quantization) and test.npz (held-out images ``x`` and
labels ``y``). Does nothing when these files are newer than this script.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

SEED = 1
FILES = ("digits.keras", "calib.npz", "test.npz")


def images_and_labels() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Training images, test images, training labels, test labels. Pixels are in 0..1, shape (N, 8, 8, 1)."""
    digits = load_digits()
    images = (digits.images / 16.0).astype(np.float32)[..., None]
    x_train, x_test, y_train, y_test = train_test_split(
        images, digits.target, test_size=360, random_state=SEED, stratify=digits.target
    )
    return x_train, x_test, y_train, y_test


def build_model():
    """Two convolutions and a classifier: 7,490 parameters."""
    import keras
    from keras import layers

    return keras.Sequential(
        [
            layers.Input((8, 8, 1), name="image"),
            layers.Conv2D(16, 3, padding="same", activation="relu"),
            layers.MaxPooling2D(),
            layers.Conv2D(24, 3, padding="same", activation="relu"),
            layers.Flatten(),
            layers.Dense(10, activation="softmax"),
        ],
        name="digits",
    )


def train(out: Path, epochs: int) -> None:
    import keras

    keras.utils.set_random_seed(SEED)
    x_train, x_test, y_train, y_test = images_and_labels()
    model = build_model()
    model.compile(keras.optimizers.Adam(3e-3), "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(x_train, y_train, batch_size=64, epochs=epochs, verbose=0)
    accuracy = model.evaluate(x_test, y_test, verbose=0)[1]

    out.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(out / "calib.npz", x=x_train[:300])
    np.savez_compressed(out / "test.npz", x=x_test, y=y_test)
    model.save(out / "digits.keras")
    print(f"digits: {model.count_params()} parameters, test accuracy {accuracy:.1%} -> {out}")


def main() -> None:
    parser = argparse.ArgumentParser(description="Train a digit classifier.")
    parser.add_argument("--out", type=Path, default=Path("build/digits"))
    parser.add_argument("--epochs", type=int, default=25)
    arguments = parser.parse_args()
    files = [arguments.out / name for name in FILES]
    if all(file.exists() and file.stat().st_mtime > Path(__file__).stat().st_mtime for file in files):
        print(f"digits: {arguments.out} is up to date")
        return
    train(arguments.out, arguments.epochs)


if __name__ == "__main__":
    main()
