# SPDX-License-Identifier: Apache-2.0
"""MobileNetV1 0.25 at 96x96 for visual wake words, the model of MLPerf Tiny (vww01).

    python examples/mobilenet_v1/model.py --out build/mobilenet_v1

writes mobilenet_v1.keras and calib.npz, synthetic inputs in the range of the real ones. The weights
come from a fixed seed and are not trained: speed and size are those of the trained model, the answers
are not.

A convolution and 13 depthwise separable blocks, 8 to 256 channels: 7.5 M MACs, 219,058 parameters.
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


# Output channels and stride of each depthwise separable block, at width 1.
BLOCKS = (
    (64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), (512, 1),
    (512, 1), (512, 1), (512, 1), (512, 1), (1024, 2), (1024, 1),
)  # fmt: skip
WIDTH = 0.25


def build_model():
    """Input (96, 96, 3) in 0..1, output 2 probabilities (no person, person)."""
    import keras
    from keras import layers

    keras.utils.set_random_seed(SEED)

    def normalised(x):
        return layers.ReLU()(layers.BatchNormalization()(x))

    image = layers.Input((96, 96, 3), name="image")
    x = normalised(layers.Conv2D(int(32 * WIDTH), 3, 2, padding="same", use_bias=False)(image))
    for channels, strides in BLOCKS:
        x = normalised(layers.DepthwiseConv2D(3, strides, padding="same", use_bias=False)(x))
        x = normalised(layers.Conv2D(int(channels * WIDTH), 1, use_bias=False)(x))
    x = layers.Flatten()(layers.AveragePooling2D(3)(x))
    return keras.Model(image, layers.Dense(2, activation="softmax")(x), name="mobilenet_v1")


def calibration(count: int = 50) -> np.ndarray:
    """Pixels (count, 96, 96, 3) in 0..1."""
    return np.random.default_rng(SEED).uniform(0, 1, (count, 96, 96, 3)).astype(np.float32)


if __name__ == "__main__":
    write("mobilenet_v1", build_model, calibration, "MobileNetV1 0.25")
