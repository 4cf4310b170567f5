# SPDX-License-Identifier: Apache-2.0
"""The fully connected autoencoder for anomaly detection of MLPerf Tiny (ad01).

    python examples/autoencoder/model.py --out build/autoencoder

writes autoencoder.keras and calib.npz, synthetic inputs in the range of the real ones. The weights
come from a fixed seed and are not trained: speed and size are those of the trained model, the answers
are not.

640 values down to 8 and back, five layers of 128 on each side: 264 k MACs, 269,992 parameters.
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
    """Input and output 640 values: 5 frames of 128 log-mel energies."""
    import keras
    from keras import layers

    keras.utils.set_random_seed(SEED)
    frames = layers.Input((640,), name="frames")
    x = frames
    for units in (128, 128, 128, 128, 8, 128, 128, 128, 128):
        x = layers.ReLU()(layers.BatchNormalization()(layers.Dense(units)(x)))
    return keras.Model(frames, layers.Dense(640)(x), name="autoencoder")


def calibration(count: int = 100) -> np.ndarray:
    """Log-mel energies (count, 640), in decibels around -30."""
    return np.random.default_rng(SEED).normal(-30, 10, (count, 640)).astype(np.float32)


if __name__ == "__main__":
    write("autoencoder", build_model, calibration, "the autoencoder")
