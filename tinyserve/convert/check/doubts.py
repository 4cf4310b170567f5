# SPDX-License-Identifier: Apache-2.0
"""What makes representative data doubtful: it can be used, but the user should know."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tinyserve.bundle import TensorInfo
from tinyserve.datasets.dataset import Dataset
from tinyserve.datasets.named import Array
from tinyserve.words import counted

_FEW = 20
_BEYOND = 0.001
_MARGIN = 0.02  # of the range: so little is hardly clipped


def about(dataset: Dataset, inputs: Sequence[TensorInfo]) -> list[str]:
    """Notes on data to calibrate with: few samples, an input that never changes, raw pixels for a float."""
    if dataset.synthetic:
        return []
    notes = []
    if len(dataset) < _FEW:
        notes.append(
            f"{counted(len(dataset), 'sample is', 'samples are')} few to learn ranges from: "
            f"100 to 500 are usual"
        )
    for info, array in zip(inputs, dataset.inputs, strict=True):
        if array.min() == array.max():
            notes.append(
                f"input '{info.name}' is {float(array.min()):g} in every sample: its range is unknown"
            )
        elif info.dtype == "float32" and not info.source_dtype and _looks_raw(array):
            notes.append(
                f"input '{info.name}' holds whole numbers from {array.min():g} to {array.max():g}: "
                "are they preprocessed as in training?"
            )
    return notes


def beyond(calibration: Dataset, held: Dataset, inputs: Sequence[TensorInfo]) -> list[str]:
    """Notes on inputs of which a thousandth of the held values or more lies beyond what was calibrated."""
    notes = []
    for info, known, array in zip(inputs, calibration.inputs, held.inputs, strict=True):
        low, high = float(known.min()), float(known.max())
        margin = _MARGIN * (high - low)
        outside = float(((array < low - margin) | (array > high + margin)).mean())
        if outside >= _BEYOND:
            notes.append(
                f"{100 * outside:.1f} % of input '{info.name}' of the samples lie beyond the representative "
                f"data ({low:g} to {high:g}): they are clipped"
            )
    return notes


def _looks_raw(array: Array) -> bool:
    """Bytes of pictures: whole numbers of 8 bits that reach above 100."""
    low, high = float(array.min()), float(array.max())
    return low >= 0 and 100 < high <= 255 and bool((array == np.trunc(array)).all())
