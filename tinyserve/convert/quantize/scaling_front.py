# SPDX-License-Identifier: Apache-2.0
"""Features of unlike ranges, which one scale of integers would blur: pascals beside degrees Celsius.

An integer tensor has one scale for all of its features. Where that leaves a feature too few levels, a
subtraction and a multiplication per feature are put in front of the first layer, whose weights take them
back: the model is the same, takes the raw values as floats, and integers begin where its features are alike.
It does not matter whether a scaler stood there before: converters fold scalers into weights.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, takewhile
from typing import Any

import numpy as np
import numpy.typing as npt

from tinyserve.compiler.graph.types import DType, Model, Node, Tensor
from tinyserve.convert.quantize.signal_front import ancestors

Array = npt.NDArray[Any]
STANDARDIZED = "/standardized"
"""How the names of tensors end that the steps in front give."""

_LEVELS = {"int8": 255, "int16x8": 65535}
_LEAST_LEVELS = 8  # in a standard deviation: rounding then adds 0.1 % to its variance
_LEAST_DB = 30.0  # of what constants give once they are int8; alike ones give over 40
_ROUNDING = 1e-6  # of a value: what varies by less is a constant that was computed in float32
ARITHMETIC = {
    "ADD": np.add, "SUB": np.subtract, "MUL": np.multiply, "DIV": np.divide,
    "MAXIMUM": np.maximum, "MINIMUM": np.minimum,
}  # fmt: skip
"""Operators with two operands that may stand in front of a first layer."""
_LIMITS = {"RELU": (0, None), "RELU6": (0, 6), "RELU_0_TO_1": (0, 1), "RELU_N1_TO_1": (-1, 1)}
"""What the converter makes of MAXIMUM and MINIMUM with constants that are the same for all features."""


@dataclass(frozen=True)
class Standardization:
    """x' = (x - middle) * factor per feature, in front of dense layers.

    Args:
        readers: indices of the FULLY_CONNECTED nodes that read the features.
        middle: what is subtracted; 0 for features that are alike without it.
        factor: powers of two, so that weights divided by them lose nothing.
    """

    readers: list[int]
    middle: list[float]
    factor: list[float]


def blurred(values: Array, scheme: str) -> list[int]:
    """Features (places on the last axis) whose standard deviation has less than eight levels of a scheme's.

    Args:
        values: samples first.
        scheme: ``int8`` or ``int16x8``; others blur nothing.
    """
    if scheme not in _LEVELS or values.ndim < 2 or values.shape[-1] < 2:
        return []
    features = _features(values)
    deviation = features.std(axis=0)
    # Without the outermost hundredth: an outlier is a matter of clipping, and no feature of its own.
    low = np.percentile(features, 1, axis=0, method="higher").min()
    high = np.percentile(features, 99, axis=0, method="lower").max()
    scale = _scale(low, high, scheme)
    found = np.flatnonzero((deviation > 0) & (deviation < _LEAST_LEVELS * scale))
    return [int(index) for index in found if _merges(features[:, index], scale)]


def _merges(feature: Array, scale: float) -> bool:
    """Whether values that differ become one integer: counts, pixels and one-hot features keep theirs."""
    return len(np.unique(np.rint(feature / scale))) < len(np.unique(feature))


def _scale(low: float, high: float, scheme: str) -> float:
    """The one scale that an integer tensor of this range gets: with zero, over its levels."""
    return (max(high, 0.0) - min(low, 0.0)) / _LEVELS[scheme]


def standardizations(model: Model, inputs: Sequence[Array], scheme: str) -> list[Standardization]:
    """What the model's float inputs need. None for inputs that other layers than dense ones read.

    Args:
        inputs: representative data per input, samples first, raw.
    """
    if len(model.graphs) > 1 or scheme not in _LEVELS:
        return []
    made = (
        _standardization(tensor, values, model, scheme)
        for tensor, values in zip(model.main.inputs, inputs, strict=True)
        if tensor.dtype is DType.FLOAT32
    )
    return [one for one in made if one is not None]


def operators_of(model: Model) -> list[int]:
    """Indices of the operators up to the steps that ``standardize`` put into a model."""
    nodes = model.main.nodes
    last = [n for n in nodes if any(t.name.endswith(STANDARDIZED) for t in n.outputs)]
    return sorted(ancestors(nodes, last))


def _standardization(tensor: Tensor, values: Array, model: Model, scheme: str) -> Standardization | None:
    steps = _arithmetic(tensor, model)
    edge = steps[-1].node.outputs[0] if steps else tensor
    readers = [node for node in model.main.nodes if any(t is edge for t in node.inputs)]
    if not readers or not all(_is_dense(node, edge) for node in readers):
        return None
    if any(edge is output for output in model.main.outputs):
        return None
    # Only now: computing on all of the data is for dense layers' features, not for images.
    passed = list(
        accumulate(steps, lambda given, step: step.of(given), initial=np.asarray(values, np.float64))
    )
    features = _features(passed[-1])
    blurs = blurred(values, scheme) or blurred(passed[-1], scheme)
    weights = np.concatenate([_weights(node) for node in readers])
    if not blurs and _kept_db(weights, features) >= _LEAST_DB and not _unlike_factors(steps, passed):
        return None
    # Not the deviation alone: a feature that is rarely other than zero would reach far beyond its neighbours.
    spread = np.maximum(features.std(axis=0), np.ptp(features, axis=0) / 16)
    varies = spread > _ROUNDING * np.abs(features).max(axis=0)
    factor = np.exp2(-np.round(np.log2(np.where(varies, spread, 1))))
    factor = np.where(varies, factor, _unseen(np.abs(weights).max(axis=0), factor, varies))
    return Standardization(
        [node.index for node in readers],
        [float(value) for value in features.mean(axis=0).astype(np.float32)],
        [float(value) for value in factor],
    )


@dataclass(frozen=True)
class _Step:
    """What a node computes with a constant, the first operand or the second, or with limits of its own."""

    node: Node
    constant: Array | None
    is_first: bool = False

    def of(self, given: Array) -> Array:
        if self.constant is None:
            limited: Array = np.clip(given, *_LIMITS[self.node.name])
            return limited
        operands = (self.constant, given) if self.is_first else (given, self.constant)
        made: Array = ARITHMETIC[self.node.name](*operands)
        return made


def _arithmetic(tensor: Tensor, model: Model) -> list[_Step]:
    """The arithmetic with constants that an input goes through first."""
    steps: list[_Step] = []
    while True:
        readers = [node for node in model.main.nodes if any(t is tensor for t in node.inputs)]
        step = _step(readers[0], tensor) if len(readers) == 1 else None
        if step is None:
            return steps
        steps.append(step)
        tensor = step.node.outputs[0]


def _step(node: Node, tensor: Tensor) -> _Step | None:
    if node.name in _LIMITS:
        return _Step(node, None)
    if node.name not in ARITHMETIC or len(node.inputs) != 2:
        return None
    is_first = node.inputs[0] is not tensor
    other = node.inputs[0 if is_first else 1]
    if other is None or other.data is None or node.outputs[0].shape != tensor.shape:
        return None
    return _Step(node, other.data, is_first)


def _weights(node: Node) -> Array:
    """(outputs, features) of a dense layer."""
    assert node.inputs[1] is not None
    return np.asarray(node.inputs[1].data, np.float64).reshape(-1, node.inputs[1].shape[-1])


def _unseen(largest: Array, factor: Array, varies: npt.NDArray[np.bool_]) -> Array:
    """Factors for features that were always the same: their weights, which may be anything, become no larger
    than the others'."""
    if not varies.any():
        return factor
    others = (largest / factor)[varies].max()
    return np.exp2(np.ceil(np.log2(np.maximum(largest / others, 1)))) if others > 0 else factor


def _unlike_factors(steps: Sequence[_Step], given: Sequence[Array]) -> bool:
    """Whether the model multiplies the features by a constant whose one scale leaves most factors no digits:
    a Normalization divides a feature that was the same in all of the training by next to nothing."""
    linear = takewhile(lambda step: step.node.name in ("ADD", "SUB", "MUL"), steps)
    return any(
        _kept_db(np.asarray(step.constant, np.float64), _features(values)) < _LEAST_DB
        for step, values in zip(linear, given, strict=False)
        if step.node.name == "MUL"
    )


def _kept_db(factors: Array, features: Array) -> float:
    """Signal over error, in dB, of features times rows of factors that are int8 with a scale per row."""
    spread = features.std(axis=0)
    if factors.size % spread.size:
        return float("inf")
    rows = factors.reshape(-1, spread.size)
    largest = np.abs(rows).max(axis=1, keepdims=True)
    step = np.where(largest > 0, largest, 1) / 127
    error = (np.rint(rows / step) * step - rows) * spread
    signal, noise = np.square(rows * spread).sum(), np.square(error).sum()
    return float(10 * np.log10(signal / noise)) if min(noise, signal) > 0 else float("inf")


def _is_dense(node: Node, edge: Tensor) -> bool:
    weights = node.inputs[1] if len(node.inputs) > 1 else None
    return (
        node.name == "FULLY_CONNECTED"
        and node.inputs[0] is edge
        and weights is not None
        and weights.data is not None
        and weights.dtype is DType.FLOAT32
        and weights.shape[-1] == edge.shape[-1]
        and (len(node.inputs) < 3 or node.inputs[2] is None or node.inputs[2].is_constant)
    )


def _features(values: Array) -> Array:
    return values.reshape(-1, values.shape[-1]).astype(np.float64)


def note(values: Array, name: str, scheme: str) -> str:
    """What a report says of an input whose features are blurred for good; empty where none is."""
    found = blurred(values, scheme)
    if not found:
        return ""
    deviation = _features(values).std(axis=0)
    worst = min(found, key=lambda index: float(deviation[index]))
    scale = _scale(float(values.min()), float(values.max()), scheme)
    return (
        f"input '{name}': one scale of {scale:.3g} for feature {worst} with σ {deviation[worst]:.3g} "
        f"({len(found)} of {values.shape[-1]} are blurred): scale the features alike before the model"
    )
