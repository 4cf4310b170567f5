# SPDX-License-Identifier: Apache-2.0
"""A wider ResNet-8 for CIFAR-10, as MLPerf Tiny 1.4's second image classification (ic02) has it.

    python examples/resnet8_wide/model.py --out build/resnet8_wide

writes resnet8_wide.keras and calib.npz, synthetic inputs in the range of the real ones. The weights
come from a fixed seed and are not trained: speed and size are those of the trained model, the answers
are not.

Three stages of 40, 80 and 160 channels, each with one residual block: 76.5 M MACs,
482,730 parameters with its batch normalizations.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np

sys.path.append(str(Path(__file__).resolve().parents[1]))
from untrained import write

SEED = 1


def build_model():
    """Input (32, 32, 3) in 0..255, output 10 probabilities."""
    import keras
    from keras import layers

    keras.utils.set_random_seed(SEED)

    def conv(x, filters: int, kernel: int, strides: int = 1):
        return layers.Conv2D(filters, kernel, strides, padding="same", kernel_initializer="he_normal")(x)

    def stage(x, filters: int, strides: int):
        y = layers.ReLU()(layers.BatchNormalization()(conv(x, filters, 3, strides)))
        y = layers.BatchNormalization()(conv(y, filters, 3))
        if strides > 1:
            x = conv(x, filters, 1, strides)
        return layers.ReLU()(layers.Add()([x, y]))

    image = layers.Input((32, 32, 3), name="image")
    x = layers.ReLU()(layers.BatchNormalization()(conv(image, 40, 3)))
    for filters, strides in ((40, 1), (80, 2), (160, 2)):
        x = stage(x, filters, strides)
    x = layers.Flatten()(layers.AveragePooling2D(8)(x))
    return keras.Model(image, layers.Dense(10, activation="softmax")(x), name="resnet8_wide")


def calibration(count: int = 100) -> np.ndarray:
    """Pixels (count, 32, 32, 3) in 0..255."""
    return np.random.default_rng(SEED).integers(0, 256, (count, 32, 32, 3)).astype(np.float32)


if __name__ == "__main__":
    write("resnet8_wide", build_model, calibration, "the wider ResNet-8")
