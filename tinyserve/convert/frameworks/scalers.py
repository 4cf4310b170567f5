# SPDX-License-Identifier: Apache-2.0
"""scikit-learn's steps before a model, as one: features are clamped and scaled, then mixed by a matrix."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tinyserve.errors import UnsupportedError

Array = npt.NDArray[Any]
_ROUNDING = float(np.finfo(np.float32).eps)
ALONE = ("StandardScaler", "MinMaxScaler", "MaxAbsScaler", "RobustScaler")
"""Steps that change each feature by itself and keep its order."""
MIXING = ("PCA", "IncrementalPCA", "TruncatedSVD", "FastICA", "FactorAnalysis", "LinearDiscriminantAnalysis")
"""Steps that give sums of features."""
_CHOOSING = (
    "SelectKBest", "SelectPercentile", "SelectFpr", "SelectFdr", "SelectFwe", "GenericUnivariateSelect",
    "SelectFromModel", "SequentialFeatureSelector", "RFE", "RFECV", "VarianceThreshold",
)  # fmt: skip
_PARTS = ("ColumnTransformer", "FeatureUnion", "Pipeline")
KNOWN = (
    f"{', '.join((*ALONE, *MIXING))}, the selectors of features (SelectKBest, VarianceThreshold ...), and "
    "ColumnTransformer and FeatureUnion of these"
)


@dataclass(frozen=True)
class Scaling:
    """x' = min(max(x, low), high) * scale + offset, each [F]; ``limits`` is None without clip. ``mixing``:
    then x' @ weights [F][K] + bias [K]."""

    scale: Array
    offset: Array
    limits: tuple[Array, Array] | None = None
    mixing: tuple[Array, Array] | None = None

    def clamp(self, tf: Any, x: Any) -> Any:
        """Operators that clamp raw features (1, F)."""
        if self.limits is None:
            return x
        low, high = (tf.constant(limit[None], tf.float32) for limit in self.limits)
        return tf.minimum(tf.maximum(x, low), high)

    def call(self, tf: Any, x: Any) -> Any:
        """Operators that do all of it to raw features (1, F)."""
        scale, offset = (tf.constant(one[None], tf.float32) for one in (self.scale, self.offset))
        x = self.clamp(tf, x) * scale + offset
        if self.mixing is None:
            return x
        weights, bias = (tf.constant(one, tf.float32) for one in self.mixing)
        return tf.matmul(x, weights) + bias

    def apply(self, x: Array) -> Array:
        """In float64: raw features (N, F) as the model gets them."""
        scaled = self._clamped(x) * self.scale + self.offset
        return np.asarray(scaled if self.mixing is None else scaled @ self.mixing[0] + self.mixing[1])

    def error(self, x: Array) -> Array:
        """How far float32 may be from ``apply``, for each value."""
        products = np.abs(self._clamped(x) * self.scale)
        error = np.asarray(_ROUNDING * (2 * products + np.abs(self.offset)))
        if self.mixing is None:
            return error
        weights, bias = np.abs(self.mixing[0]), np.abs(self.mixing[1])
        sums = (products + np.abs(self.offset)) @ weights
        return np.asarray(error @ weights + _ROUNDING * (len(weights) * sums + bias))

    def folded(self, weights: Array, bias: Array) -> tuple[Array, Array]:
        """A dense layer's [K][M] and [M] for features that are clamped and nothing else."""
        if self.mixing is not None:
            weights, bias = self.mixing[0] @ weights, bias + self.mixing[1] @ weights
        return weights * self.scale[:, None], bias + self.offset @ weights

    def _clamped(self, x: Array) -> Array:
        return x if self.limits is None else np.clip(x, *self.limits)


def of(steps: Sequence[Any], width: int, where: str) -> Scaling:
    """All steps together, of features of which the model takes ``width``. Factors of scalers are positive, so
    that a clip may stand before all of them.

    Raises UnsupportedError for a step of another kind, and for a clip behind one that mixes features.
    """
    count = next((i for i, step in enumerate(steps) if type(step).__name__ not in ALONE), len(steps))
    mixing = matrix(steps[count:], where) if count < len(steps) else None
    width = width if mixing is None else len(mixing[0])
    scale, offset = np.ones(width), np.zeros(width)
    low, high = np.full(width, -np.inf), np.full(width, np.inf)
    for step in steps[:count]:
        factor, shift = _affine(step, width)
        scale, offset = scale * factor, offset * factor + shift
        if clips(step):
            ends = [(end - offset) / scale for end in getattr(step, "feature_range", (-1, 1))]
            low, high = np.clip(low, *ends), np.clip(high, *ends)
    limits = (low, high) if any(map(clips, steps[:count])) else None
    return Scaling(scale, offset, limits, mixing)


def matrix(steps: Sequence[Any], where: str, place: str = "as layers") -> tuple[Array, Array]:
    """Weights [F][K] and bias [K] of linear steps: what they make of each feature alone, and of zeros.

    ``place``: where a step has no form, in words. Raises UnsupportedError for steps that are not linear.
    """
    mixing = next(step for step in steps[::-1] if type(step).__name__ not in ALONE)
    for index, step in enumerate(steps):
        if clips(step):
            side = "before" if index < steps.index(mixing) else "behind"
            _refuse_clip(step, f"{side} {type(mixing).__name__}", where)
        _check_linear(step, where, place)

    def apply(x: Array) -> Array:
        for step in steps:
            x = step.transform(x)
        return np.asarray(x.toarray() if hasattr(x, "toarray") else x, np.float64)

    width = int(steps[0].n_features_in_)
    bias = apply(np.zeros((1, width)))
    return apply(np.eye(width)) - bias, bias[0]


def _refuse_clip(step: Any, side: str, where: str) -> None:
    raise UnsupportedError(
        f"{where}: {type(step).__name__}(clip=True) {side} has no form",
        "train with clip=False, and clip the features before the model where that is wanted",
    )


def _check_linear(step: Any, where: str, place: str) -> None:
    name = type(step).__name__
    if name == "ColumnTransformer" and any(isinstance(column, str) for column in _columns(step)):
        raise UnsupportedError(
            f"{where}: the step ColumnTransformer picks its columns by name, and the model's input has none",
            "fit it on X.to_numpy(), with the columns' numbers: ColumnTransformer([('a', scaler, [0, 3])])",
        )
    for part in _parts(step) if name in _PARTS else ():
        if clips(part):
            _refuse_clip(part, f"in {name}", where)
        _check_linear(part, where, place)
    if name not in (*ALONE, *MIXING, *_CHOOSING, *_PARTS) and not _is_identity(step):
        raise UnsupportedError(
            f"{where}: the step {name} has no form {place}",
            f"{KNOWN} have one; do other steps before the model",
        )


def _parts(step: Any) -> Iterator[Any]:
    found = getattr(step, "transformers_", None) or getattr(step, "transformer_list", None) or step.steps
    yield from (one[1] for one in found if not isinstance(one[1], str) and one[1] is not None)


def _columns(step: Any) -> Iterator[Any]:
    for name, _, columns in step.transformers_:
        if name == "remainder":
            continue
        if isinstance(columns, slice):
            yield from (columns.start, columns.stop)
        else:
            yield from [columns] if isinstance(columns, str) else np.ravel(columns)


def _is_identity(step: Any) -> bool:
    """What "passthrough" is once it is fitted."""
    return type(step).__name__ == "FunctionTransformer" and step.func is None


def clips(step: Any) -> bool:
    """Whether the step limits what it gives to the range of the training data."""
    return bool(getattr(step, "clip", False))


def _affine(step: Any, width: int) -> tuple[Array, Array]:
    name = type(step).__name__
    if name == "StandardScaler":
        factor = 1 / step.scale_ if step.with_std else np.ones(width)
        return factor, -step.mean_ * factor if step.with_mean else np.zeros(width)
    if name == "RobustScaler":
        factor = 1 / step.scale_ if step.with_scaling else np.ones(width)
        return factor, -step.center_ * factor if step.with_centering else np.zeros(width)
    if name == "MinMaxScaler":
        return step.scale_, step.min_
    return 1 / step.scale_, np.zeros(width)
