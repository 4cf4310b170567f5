# SPDX-License-Identifier: Apache-2.0
"""Writes models of the examples whose weights are not trained, with inputs to calibrate them by."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Inputs = npt.NDArray[np.float32]


def write(name: str, build_model: Callable[[], Any], calibration: Callable[[], Inputs], what: str) -> None:
    """``NAME.keras`` and ``calib.npz`` in the directory that ``--out`` names, by default build/NAME."""
    parser = argparse.ArgumentParser(description=f"Write {what}.")
    parser.add_argument("--out", type=Path, default=Path("build") / name)
    out = parser.parse_args().out
    out.mkdir(parents=True, exist_ok=True)
    model, inputs = build_model(), calibration()
    settle(model, inputs)
    model.save(out / f"{name}.keras")
    np.savez_compressed(out / "calib.npz", x=inputs)
    print(f"{name}: {model.count_params()} parameters -> {out}")


def settle(model: Any, inputs: Inputs) -> None:
    """Sets the batch normalisations to the inputs' own statistics, so that activations are as spread as in a
    trained model."""
    import keras

    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = 0.0
    model(inputs, training=True)
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = 0.99
