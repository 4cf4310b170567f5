# SPDX-License-Identifier: Apache-2.0
"""Which task a model has, by its outputs and the labels of the data: stated, and overridable by --task."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tinyserve.bundle import TensorInfo, sample_shape
from tinyserve.errors import DataError, UsageError
from tinyserve.quality.classification import Classification
from tinyserve.quality.reconstruction import AnomalyScore, Reconstruction
from tinyserve.quality.regression import Regression
from tinyserve.quality.rows import Array, Task
from tinyserve.quality.segmentation import Segmentation

TASKS = ("classification", "regression", "segmentation", "reconstruction")
_ASKED = "--task"


@dataclass(frozen=True)
class Wanted:
    """What the user said: the task ('': by data and model), and the k of top-k (0: none)."""

    task: str = ""
    top: int = 0


ANY = Wanted()


def choose(
    output: TensorInfo,
    inputs: Sequence[TensorInfo],
    names: Sequence[str],
    labels: Array | None,
    wanted: Wanted = ANY,
) -> Task:
    """The task of an output of a model with those inputs, given the first labels (N, ...) of a data set.
    ``names``: of classes, in the outputs' order, where they are known.

    Raises DataError where labels fit no task, UsageError where the task asked for is not possible.
    """
    name = wanted.task or _task(output, inputs, names, labels)
    why = _ASKED if wanted.task else _why(name, output, labels)
    return _make(name, output, inputs, names, why, wanted)


def _make(  # noqa: PLR0917 - called once
    name: str,
    output: TensorInfo,
    inputs: Sequence[TensorInfo],
    names: Sequence[str],
    why: str,
    wanted: Wanted,
) -> Task:
    shape = sample_shape(output)
    elements = int(np.prod(shape))
    if name == "classification":
        count = max(2, elements)
        known = tuple(names) if len(names) == count else ()
        return Classification(count, why, known, threshold(output), wanted.top)
    if name == "regression":
        return Regression(elements, why)
    if name == "segmentation":
        if len(shape) < 2:
            raise UsageError(
                f"--task segmentation: output '{output.name}' has no places, its shape is {output.shape}",
                "name another output with --output, or leave --task out",
            )
        return Segmentation(max(2, shape[-1]), elements // shape[-1], why, threshold(output))
    if name == "reconstruction":
        place = _repeated(output, inputs)
        if place is not None:
            return Reconstruction(place, why)
        if elements == 1:
            return AnomalyScore(why)
        raise UsageError(
            f"--task reconstruction: output '{output.name}' has the shape of no input",
            "leave --task out, or name another output with --output",
        )
    raise UsageError(f"--task {name}: not known", f"use one of: {', '.join(TASKS)}")


def _task(  # noqa: PLR0911 - one rule each
    output: TensorInfo, inputs: Sequence[TensorInfo], names: Sequence[str], labels: Array | None
) -> str:
    shape = sample_shape(output)
    elements = int(np.prod(shape))
    repeated = _repeated(output, inputs) is not None and elements > 1 and not _has_classes(output, names)
    if labels is None:
        if repeated:
            return "reconstruction"
        return "regression" if elements == 1 else "classification"
    values = int(np.prod(labels.shape[1:]))
    if _is_anomaly_score(output):
        return "reconstruction"
    if labels.dtype.kind in "USO":
        return "reconstruction" if repeated else "classification"
    if repeated and values == 1 and _is_binary(labels):
        return "reconstruction"
    if _is_mask(shape, labels):
        return "segmentation"
    if values == elements and (elements > 1 or not _is_binary(labels)):
        return "regression"
    if values == 1:
        return "classification"
    raise DataError(
        f"labels of shape {labels.shape} fit no task of output '{output.name}' {output.shape}",
        "give class indices (N,), one-hot rows, targets or masks of the output's own shape",
    )


def _why(name: str, output: TensorInfo, labels: Array | None) -> str:
    shape = "×".join(map(str, output.shape[1:] or output.shape))
    if labels is None:
        return f"output {shape}, no labels"
    kind = {"U": "names", "S": "names", "O": "names", "f": "numbers"}.get(labels.dtype.kind, "integers")
    per = "×".join(map(str, labels.shape[1:])) or "one"
    return f"output {shape}, labels are {kind}, {per} per sample"


def threshold(output: TensorInfo) -> float:
    """Above which one value says the second of two classes: 0.5 of a probability, 0 of a logit (what reaches
    far below zero)."""
    return 0.0 if _is_wide(output) else 0.5


def _is_wide(output: TensorInfo) -> bool:
    """Whether a quantized output's range is not that of a probability."""
    if not output.scale:
        return False
    lowest = (float(np.iinfo(np.dtype(output.dtype)).min) - output.zero_point) * output.scale
    return lowest < -1.05  # int16's range is symmetric: a probability reaches down to -1 there


def _has_classes(output: TensorInfo, names: Sequence[str]) -> bool:
    """Whether an output is known to have class scores: by their names, or since a softmax made it."""
    return has_scale_of_shares(output) or len(names) == int(np.prod(output.shape))


def has_scale_of_shares(output: TensorInfo) -> bool:
    """Whether an output has the scale in integers that a softmax and a sigmoid always give."""
    return (output.dtype, output.zero_point, output.scale) in (
        ("int8", -128, 1 / 256),
        ("int16", 0, 1 / 32768),
    )


def _is_anomaly_score(output: TensorInfo) -> bool:
    return output.name == ANOMALY_SCORE


ANOMALY_SCORE = "anomaly_score"
"""The name of the output of models that give one."""


def _repeated(output: TensorInfo, inputs: Sequence[TensorInfo]) -> int | None:
    """The input whose shape the output has."""
    return next((i for i, info in enumerate(inputs) if sample_shape(info) == sample_shape(output)), None)


def _is_mask(shape: Sequence[int], labels: Array) -> bool:
    """Whether labels are classes at each place of an output (..., classes), or one-hot rows there."""
    if len(shape) < 2:
        return False
    values, places = int(np.prod(labels.shape[1:])), int(np.prod(shape[:-1]))
    if places < 2:
        return False
    if values == places and shape[-1] > 1:
        return labels.dtype.kind in "iub" or bool((labels % 1 == 0).all())
    if values == places:
        return _is_binary(labels)
    if values == places * shape[-1] and shape[-1] > 1:
        spots = labels.reshape(-1, shape[-1])
        return _is_binary(labels) and bool((spots.sum(axis=1) == 1).all())
    return False


def _is_binary(labels: Array) -> bool:
    return bool(((labels == 0) | (labels == 1)).all())
