# SPDX-License-Identifier: Apache-2.0
"""Samples without meaning, for when there is no data: they show that bytes agree, never accuracy."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from tinyserve import bundle
from tinyserve.bundle import TensorInfo
from tinyserve.datasets.dataset import Dataset

_SEED = 20240229


def random(inputs: Sequence[TensorInfo], count: int = 100) -> Dataset:
    """``count`` samples from a fixed seed: floats uniform in [-1, 1), integers over their range, and
    floats that stand for bytes over that of these."""
    generator = np.random.default_rng(_SEED)
    return Dataset([_values(info, count, generator) for info in inputs], None, "random", synthetic=True)


def pattern(inputs: Sequence[TensorInfo], count: int = 4) -> Dataset:
    """The first sample of each int8 input has the bytes (i * 31 + 7) & 0xff, the rest are random."""
    dataset = random(inputs, count)
    for info, array in zip(inputs, dataset.inputs, strict=True):
        if info.dtype == "int8" and info.scale:
            raw = ((np.arange(array[0].size) * 31 + 7) & 0xFF).astype(np.uint8).view(np.int8)
            array[0] = bundle.dequantize(raw.reshape(array[0].shape), info)
    return dataset


def _values(info: TensorInfo, count: int, generator: np.random.Generator) -> npt.NDArray[np.generic]:
    shape = (count, *bundle.sample_shape(info))
    dtype = np.dtype(info.dtype)
    if dtype.kind == "b":
        return generator.integers(0, 2, shape).astype(np.bool_)
    if info.source_dtype:
        limits = np.iinfo(info.source_dtype)
        return generator.integers(limits.min, limits.max + 1, shape).astype(np.float32)
    if dtype.kind == "f":
        return generator.uniform(-1, 1, shape).astype(np.float32)
    if info.scale:
        limits = np.iinfo(dtype)
        return bundle.dequantize(generator.integers(limits.min, limits.max + 1, shape), info)
    return generator.integers(0, 2, shape).astype(dtype)  # indices: 0 and 1 are valid in most tables
