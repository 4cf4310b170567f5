# SPDX-License-Identifier: Apache-2.0
"""What front ends hand to the worker: a model as .tflite, its original as a function, arrays in files."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tinyserve.convert.worker.messages import Place

Arrays = list[npt.NDArray[Any]]
Say = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Loaded:
    """What a front end makes of a trained model.

    ``original`` runs one sample (each input with its batch axis of 1) in the model's own framework and
    layouts. ``trace`` gives what is computed on the way, by the names of ``places``; of these, and of
    ``input_forms``, ``output_forms`` and ``input_dtypes``, see ``messages.Done``. ``labels`` are the classes
    in the order of the outputs. ``float_only``: why nothing of it may be quantized. ``restart`` gives a model
    that keeps state from one inference to the next the state that it begins with. ``undecided`` says whether
    other answers to a sample than the original's are as right: of neighbours that are equally far.
    """

    tflite: bytes
    framework: str
    tools: dict[str, str]
    original: Callable[[Arrays], Arrays] | None = None
    notes: list[str] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)
    float_only: str = ""
    input_forms: list[list[int]] = field(default_factory=list)
    output_forms: list[list[int]] = field(default_factory=list)
    input_dtypes: list[str] = field(default_factory=list)
    places: dict[str, Place] = field(default_factory=dict)
    trace: Callable[[Arrays], dict[str, npt.NDArray[Any]]] | None = None
    restart: Callable[[], None] | None = None
    undecided: Callable[[Arrays], bool] | None = None


@dataclass(frozen=True)
class Exported:
    """A trained model that another framework wrote as ONNX. ``original`` and ``trace`` as in ``Loaded``."""

    onnx: bytes
    framework: str
    tools: dict[str, str]
    original: Callable[[Arrays], Arrays]
    trace: Callable[[Arrays], dict[str, npt.NDArray[Any]]]
    notes: list[str] = field(default_factory=list)


def save_arrays(path: Path, arrays: Arrays) -> None:
    """Writes arrays in order."""
    with path.open("wb") as file:
        np.savez(file, **{f"array_{i}": array for i, array in enumerate(arrays)})  # type: ignore[arg-type]


def load_arrays(path: Path) -> Arrays:
    """Reads what ``save_arrays`` wrote."""
    with np.load(path, allow_pickle=False) as file:
        return [file[f"array_{i}"] for i in range(len(file.files))]


def each_sample(run: Callable[[Arrays], Arrays], inputs: Arrays, say: Say) -> Arrays:
    """Runs samples one by one and stacks the outputs (the batch axis of 1 becomes the sample axis)."""
    count = len(inputs[0])
    rows: list[Arrays] = []
    for index in range(count):
        rows.append([output.copy() for output in run([array[index : index + 1] for array in inputs])])
        if index % 16 == 15 or index == count - 1:
            say("run", index + 1, count)
    return [_stack([row[i] for row in rows]) for i in range(len(rows[0]))]


def _stack(outputs: Arrays) -> npt.NDArray[Any]:
    """(1, ...) per sample becomes (N, ...); an output without a batch axis gets a sample axis."""
    if outputs[0].ndim and outputs[0].shape[0] == 1:
        return np.concatenate(outputs)
    return np.stack(outputs)
