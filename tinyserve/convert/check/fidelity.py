# SPDX-License-Identifier: Apache-2.0
"""How far a converted model is from the original, on samples that calibration has not seen."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from tinyserve.bundle import OutputAccuracy, TensorInfo
from tinyserve.quality.tasks import has_scale_of_shares

Array = npt.NDArray[Any]
_UNLIKE = 4.0  # times as much spread
_MOST_VALUES = 64
_OFFSET = 3.0  # times the spread
_CONSTANT = 1e-4  # of the largest value: what varies by less is rounding


def compare(
    reference: list[Array],
    converted: list[Array],
    inputs: list[TensorInfo],
    outputs: list[TensorInfo],
    tasks: Sequence[str] = (),
) -> list[OutputAccuracy]:
    """Per output: SQNR, largest error, and top-1 agreement of class scores, the error over the standard
    deviation of others. Arrays are (N, ...) in real units. ``tasks``: of each output, where it is known."""
    names = tasks or [""] * len(outputs)
    return [
        _compare(wanted, got, info, has_classes(info, inputs, wanted, task), _repeats(info, inputs))
        for info, wanted, got, task in zip(outputs, reference, converted, names, strict=True)
    ]


def _repeats(info: TensorInfo, inputs: list[TensorInfo]) -> bool:
    """Whether an output has an input's shape: its values are of one kind then."""
    return any(info.shape == one.shape for one in inputs)


def _compare(wanted: Array, got: Array, info: TensorInfo, classes: bool, alike: bool) -> OutputAccuracy:
    return OutputAccuracy(
        name=info.name,
        sqnr_db=sqnr_db(wanted, got),
        max_error=max_error(wanted, got),
        top1_agreement=top1_agreement(wanted, got) if classes else None,
        error_sigma=None if classes else error_sigma(wanted, got, alike),
    )


def has_classes(info: TensorInfo, inputs: list[TensorInfo], reference: Array, task: str = "") -> bool:
    """Whether an output has class scores, by its task, else by its shape and by what is in it. Shares of one
    are; two values of which one varies over four times as much as the other are not, nor are values that lie
    further from zero than they vary (a forecast in degrees)."""
    if task:
        return task == "classification"
    if is_probability(info):
        return True
    if not _is_vector(info):
        return False
    if _sums_to_one(reference):
        return True
    if _repeats(info, inputs) or len(reference) < 2:
        return not _repeats(info, inputs)
    spreads = reference.reshape(len(reference), -1).std(axis=0)
    alike = float(spreads.max()) <= _UNLIKE * float(spreads.min())
    return alike and abs(float(reference.mean())) <= _OFFSET * float(reference.std())


def _sums_to_one(reference: Array) -> bool:
    rows = reference.reshape(len(reference), -1)
    return bool(rows.min(initial=0) > -1e-2 and np.abs(rows.sum(axis=1) - 1).max(initial=0) < 1e-2)


def is_probability(info: TensorInfo) -> bool:
    """One value that a sigmoid made."""
    return has_scale_of_shares(info) and int(np.prod(info.shape)) == 1


def sqnr_db(reference: Array, converted: Array) -> float | None:
    """Signal to quantization noise ratio, 10 log10(sum r^2 / sum (r - c)^2).

    None where it has no value: equal arrays (infinite) or a reference of zeros.
    """
    wanted = reference.astype(np.float64)
    signal, noise = float(np.sum(wanted**2)), float(np.sum((wanted - converted.reshape(wanted.shape)) ** 2))
    return float(10 * np.log10(signal / noise)) if signal > 0 and noise > 0 else None


def max_error(reference: Array, converted: Array) -> float:
    """Largest absolute difference."""
    wanted = reference.astype(np.float64)
    return float(np.max(np.abs(wanted - converted.reshape(wanted.shape)), initial=0.0))


def cosine(reference: Array, converted: Array) -> float | None:
    """Cosine similarity of the two as vectors; None where one is all zeros."""
    a, b = reference.astype(np.float64).ravel(), converted.astype(np.float64).ravel()
    norm = float(np.linalg.norm(a) * np.linalg.norm(b))
    return float(a @ b) / norm if norm > 0 else None


def error_sigma(reference: Array, converted: Array, alike: bool = False) -> float | None:
    """RMS error over the standard deviation of the reference: of the worst value where a sample has up to 64
    that are not ``alike``, else of all together. None where nothing varies."""
    wanted: Array = reference.reshape(len(reference), -1).astype(np.float64)
    got: Array = converted.reshape(wanted.shape).astype(np.float64)
    if alike or wanted.shape[1] > _MOST_VALUES:
        wanted, got = wanted.reshape(-1, 1), got.reshape(-1, 1)
    spread = np.asarray(wanted.std(axis=0))
    varies = spread > _CONSTANT * np.abs(wanted).max(axis=0, initial=1e-30)
    if len(wanted) < 2 or not varies.any():
        return None
    error = np.sqrt(np.asarray(((wanted - got) ** 2).mean(axis=0)))
    return float((error[varies] / spread[varies]).max())


def top1_agreement(reference: Array, converted: Array) -> float:
    """Share of samples with the same largest class (0..1); one value is a probability at 0.5."""
    return float((_taken(reference) == _taken(converted)).mean())


def _taken(outputs: Array) -> Array:
    flat = outputs.reshape(len(outputs), -1)
    return flat.argmax(1) if flat.shape[1] > 1 else flat[:, 0] > 0.5


def _is_vector(output: TensorInfo) -> bool:
    return len(output.shape) == 2 and 2 <= output.shape[1] <= 1000
