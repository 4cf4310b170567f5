# SPDX-License-Identifier: Apache-2.0
"""A depthwise separable network over time, as MLPerf Tiny's streaming wake word (sww01) has it.

    python examples/streaming_wakeword/model.py --out build/streaming_wakeword

writes streaming_wakeword.keras and calib.npz, synthetic inputs in the range of the real ones. The weights
come from a fixed seed and are not trained: speed and size are those of the trained model, the answers
are not.

Every 32 ms a frame of 40 log-mel features comes; the last 30 frames (a second) are the input. Four
blocks of a depthwise and a pointwise convolution, over time alone: 0.43 M MACs, 23,067 parameters with
its batch normalizations.
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
FRAMES, FEATURES = 30, 40
BLOCKS = ((128, 3), (64, 5), (64, 10), (32, 15))
"""Channels and length in frames of each; together they see all frames."""


def build_model():
    """Input (30, 1, 40): frames, 1, features in 0..1. Output 3 logits: wake word, silence, anything else."""
    import keras
    from keras import layers

    keras.utils.set_random_seed(SEED)
    features = layers.Input((FRAMES, 1, FEATURES), name="features")
    x = features
    for channels, length in BLOCKS:
        x = layers.DepthwiseConv2D((length, 1), use_bias=False)(x)
        x = layers.Conv2D(channels, 1, use_bias=False)(x)
        x = layers.ReLU()(layers.BatchNormalization()(x))
        x = layers.Dropout(0.2)(x)
    return keras.Model(features, layers.Dense(3)(layers.Flatten()(x)), name="streaming_wakeword")


def calibration(count: int = 100) -> np.ndarray:
    """Windows (count, 30, 1, 40) in 0..1 of one long stream, a frame apart, as a detector sees them."""
    generator = np.random.default_rng(SEED)
    steps = generator.normal(0, 0.1, (count + FRAMES - 1, FEATURES))
    stream = 0.5 + 0.5 * np.sin(np.cumsum(steps, axis=0) * 3)
    windows = np.stack([stream[at : at + FRAMES] for at in range(count)])
    return windows[:, :, None, :].astype(np.float32)


if __name__ == "__main__":
    write("streaming_wakeword", build_model, calibration, "the streaming wake word network")
