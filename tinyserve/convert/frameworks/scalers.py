# SPDX-License-Identifier: Apache-2.0
"""scikit-learn's scalers before a model, as one step: raw features are clamped, then scaled."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tinyserve.errors import UnsupportedError

Array = npt.NDArray[Any]
_ROUNDING = float(np.finfo(np.float32).eps)


@dataclass(frozen=True)
class Scaling:
    """x' = min(max(x, low), high) * scale + offset, each [F]; ``limits`` is None without clip."""

    scale: Array
    offset: Array
    limits: tuple[Array, Array] | None = None

    def clamp(self, tf: Any, x: Any) -> Any:
        """Operators that clamp raw features (1, F)."""
        if self.limits is None:
            return x
        low, high = (tf.constant(limit[None], tf.float32) for limit in self.limits)
        return tf.minimum(tf.maximum(x, low), high)

    def apply(self, x: Array) -> Array:
        """In float64: raw features (N, F), scaled."""
        return np.asarray(self._clamped(x) * self.scale + self.offset)

    def error(self, x: Array) -> Array:
        """How far float32 may be from ``apply``, for each value."""
        scaled = np.abs(self._clamped(x) * self.scale)
        return np.asarray(_ROUNDING * (2 * scaled + np.abs(self.offset)))

    def _clamped(self, x: Array) -> Array:
        return x if self.limits is None else np.clip(x, *self.limits)


def of(steps: Sequence[Any], width: int, where: str) -> Scaling:
    """All scalers together. Their factors are positive, so that a clip may stand before all of them.

    Raises UnsupportedError for a step of another kind.
    """
    scale, offset = np.ones(width), np.zeros(width)
    low, high = np.full(width, -np.inf), np.full(width, np.inf)
    for step in steps:
        factor, shift = _affine(step, width, where)
        scale, offset = scale * factor, offset * factor + shift
        if clips(step):
            ends = [(end - offset) / scale for end in getattr(step, "feature_range", (-1, 1))]
            low, high = np.clip(low, *ends), np.clip(high, *ends)
    return Scaling(scale, offset, (low, high) if any(map(clips, steps)) else None)


def clips(step: Any) -> bool:
    """Whether the step limits what it gives to the range of the training data."""
    return bool(getattr(step, "clip", False))


def _affine(step: Any, width: int, where: str) -> tuple[Array, Array]:
    name = type(step).__name__
    if name == "StandardScaler":
        factor = 1 / step.scale_ if step.with_std else np.ones(width)
        return factor, -step.mean_ * factor if step.with_mean else np.zeros(width)
    if name == "MinMaxScaler":
        return step.scale_, step.min_
    if name == "MaxAbsScaler":
        return 1 / step.scale_, np.zeros(width)
    raise UnsupportedError(
        f"{where}: the step {name} has no form as layers",
        "StandardScaler, MinMaxScaler and MaxAbsScaler have one; do other steps before the model",
    )
