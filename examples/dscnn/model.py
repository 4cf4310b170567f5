# SPDX-License-Identifier: Apache-2.0
"""DS-CNN for keyword spotting, the model of MLPerf Tiny (kws01).

    python examples/dscnn/model.py --out build/dscnn

writes dscnn.keras and calib.npz, synthetic inputs in the range of the real ones. The weights
come from a fixed seed and are not trained: speed and size are those of the trained model, the answers
are not.

A convolution and four depthwise separable blocks of 64 channels: 2.7 M MACs, 24,908 parameters.
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
    """Input (49, 10, 1): 49 frames of 10 MFCC coefficients. Output 12 probabilities."""
    import keras
    from keras import layers

    keras.utils.set_random_seed(SEED)

    def normalised(x):
        return layers.ReLU()(layers.BatchNormalization()(x))

    mfcc = layers.Input((49, 10, 1), name="mfcc")
    x = normalised(layers.Conv2D(64, (10, 4), strides=2, padding="same")(mfcc))
    x = layers.Dropout(0.2)(x)
    for _ in range(4):
        x = normalised(layers.DepthwiseConv2D(3, padding="same")(x))
        x = normalised(layers.Conv2D(64, 1, padding="same")(x))
    x = layers.Dropout(0.4)(x)
    x = layers.Flatten()(layers.AveragePooling2D((25, 5))(x))
    return keras.Model(mfcc, layers.Dense(12, activation="softmax")(x), name="dscnn")


def calibration(count: int = 100) -> np.ndarray:
    """MFCC-like values (count, 49, 10, 1): the first coefficient is large and negative, the rest are not."""
    generator = np.random.default_rng(SEED)
    values = generator.normal(0, 8, (count, 49, 10, 1))
    values[:, :, 0] -= 80
    return values.astype(np.float32)


if __name__ == "__main__":
    write("dscnn", build_model, calibration, "DS-CNN")
