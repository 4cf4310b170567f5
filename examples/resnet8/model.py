# SPDX-License-Identifier: Apache-2.0
"""ResNet-8 for CIFAR-10, the image classification model of MLPerf Tiny (ic01).

    python examples/resnet8/model.py --out build/resnet8

writes resnet8.keras and calib.npz, synthetic inputs in the range of the real ones. The weights
come from a fixed seed and are not trained: speed and size are those of the trained model, the answers
are not.

Three stages of 16, 32 and 64 channels, each with one residual block: 12.5 M MACs, 78,666 parameters.
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
    x = layers.ReLU()(layers.BatchNormalization()(conv(image, 16, 3)))
    for filters, strides in ((16, 1), (32, 2), (64, 2)):
        x = stage(x, filters, strides)
    x = layers.Flatten()(layers.AveragePooling2D(8)(x))
    return keras.Model(image, layers.Dense(10, activation="softmax")(x), name="resnet8")


def calibration(count: int = 100) -> np.ndarray:
    """Pixels (count, 32, 32, 3) in 0..255."""
    return np.random.default_rng(SEED).integers(0, 256, (count, 32, 32, 3)).astype(np.float32)


if __name__ == "__main__":
    write("resnet8", build_model, calibration, "ResNet-8")
