# SPDX-License-Identifier: Apache-2.0
"""Ranges of activations other than the calibrator's minimum and maximum. Worker process only.

A few outliers stretch a tensor's range and cost all other values resolution. Clipping them is often the
better bargain: at a percentile of the values, or where the quantization error of the values is least.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from tinyserve.compiler.graph import objects
from tinyserve.convert.worker.loaded import Arrays, Say

_KEPT_PER_SAMPLE = 4096
_SHRINK = np.linspace(1.0, 0.4, 25)


def clipped(calibrated: bytes, values: Mapping[int, npt.NDArray[np.float32]], method: str) -> bytes:
    """A calibrated float .tflite with the ranges of ``method``: "mse", or a percentile as "99.9".

    ``values``: per tensor index a sample of its values. Ranges only ever shrink.
    """
    model = objects.unpack(calibrated)
    for index, tensor in enumerate(model.subgraphs[0].tensors):
        if has_range(tensor) and index in values:
            low, high = _range(values[index], method)
            tensor.quantization.min = [max(low, float(tensor.quantization.min[0]))]
            tensor.quantization.max = [min(high, float(tensor.quantization.max[0]))]
    return objects.pack(model)


def has_range(tensor: Any) -> bool:
    """Whether calibration gave the tensor one minimum and one maximum."""
    quantization = tensor.quantization
    return quantization is not None and quantization.min is not None and len(quantization.min) == 1


def observe(
    model: bytes, samples: Arrays, say: Say, anew: bool = False
) -> dict[int, npt.NDArray[np.float32]]:
    """Up to 4,096 values per sample of every float tensor that the model computes, by tensor index. ``anew``:
    variables are set back before each sample."""
    from tinyserve.convert.worker import runtimes

    generator = np.random.default_rng(0)
    kept: dict[int, list[npt.NDArray[np.float32]]] = {}
    for tensors in runtimes.each_trace(model, samples, say, anew):
        for index, value in tensors.items():
            if value.dtype == np.float32 and value.size:
                flat = value.ravel()
                if flat.size > _KEPT_PER_SAMPLE:
                    flat = flat[generator.integers(0, flat.size, _KEPT_PER_SAMPLE)]
                kept.setdefault(index, []).append(flat.copy())
    return {index: np.concatenate(found) for index, found in kept.items()}


def _range(values: npt.NDArray[np.float32], method: str) -> tuple[float, float]:
    if method == "mse":
        return _least_error(values)
    percentile = float(method)
    low, high = np.percentile(values, [100 - percentile, percentile])
    return min(float(low), 0.0), max(float(high), 0.0)


def _least_error(values: npt.NDArray[np.float32]) -> tuple[float, float]:
    """The range, shrunk in steps from the whole, whose 256 levels reproduce the values best."""
    low, high = min(float(values.min()), 0.0), max(float(values.max()), 0.0)
    if high == low:
        return low, high
    errors = [_error(values, low * shrink, high * shrink) for shrink in _SHRINK]
    best = float(_SHRINK[int(np.argmin(errors))])
    return low * best, high * best


def _error(values: npt.NDArray[np.float32], low: float, high: float) -> float:
    scale = (high - low) / 255
    levels: Any = np.clip(np.round((values - low) / scale), 0, 255)
    return float(np.mean((low + levels * scale - values) ** 2))
