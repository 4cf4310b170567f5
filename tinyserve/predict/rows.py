# SPDX-License-Identifier: Apache-2.0
"""Predictions of consecutive samples, as sinks write them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tinyserve import bundle
from tinyserve.bundle import TensorInfo

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Rows:
    """``first`` is the number of the first sample. ``values`` (N, values) are in real units, float32.

    ``classes`` (N,) int32 index the best value, for outputs of several values; None for those of one.
    """

    first: int
    values: Array
    classes: Array | None

    def __len__(self) -> int:
        return len(self.values)


def of(first: int, output: Array, info: TensorInfo) -> Rows:
    """From an output (N, ...) in the model's own type. The best is found in that type, before rounding."""
    flat = output.reshape(len(output), -1)
    values = np.ascontiguousarray(bundle.dequantize(output, info).reshape(len(output), -1))
    ranked = values if info.scales else flat  # channels of unlike scales compare in real units alone
    classes = ranked.argmax(axis=1).astype(np.int32) if flat.shape[1] > 1 else None
    return Rows(first, values, classes)
