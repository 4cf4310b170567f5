# SPDX-License-Identifier: Apache-2.0
"""A data set to run on the device, and the accuracy that comes out."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tinyserve.bench.result import Accuracy
from tinyserve.bundle import EVENT, PIPELINE, Bundle, Manifest, Score, TaskScores, dequantize, quantize
from tinyserve.datasets.dataset import Dataset
from tinyserve.datasets.named import AS_IT_IS, Reading
from tinyserve.errors import DataError, TinyserveError, UsageError
from tinyserve.quality.classification import Classification
from tinyserve.quality.orders import doubt_of
from tinyserve.quality.reconstruction import Reconstruction
from tinyserve.quality.rows import Tally, Task
from tinyserve.quality.tasks import ANY, Wanted, choose
from tinyserve.words import counted

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class TaskData:
    """Samples in the model's own types, ready for the device, with their labels and what they are of.

    ``real_inputs`` are the same samples in real units (float32), for the float original; ``labels`` (N, ...)
    as the data set has them, None where the task needs none. ``place``: the output's number.
    """

    name: str
    sha256: str
    inputs: list[Array]
    labels: Array | None
    real_inputs: list[Array]
    task: Task
    place: int = 0

    def __len__(self) -> int:
        return len(self.inputs[0])

    @property
    def is_measured(self) -> bool:
        """Whether the task can be measured on them."""
        return self.labels is not None or isinstance(self.task, Reconstruction)

    def sample(self, index: int) -> list[bytes]:
        """The bytes of each input of one sample."""
        return [array[index].tobytes() for array in self.inputs]


def check_file(path: Path) -> None:
    """Raises DataError where ``path`` is no data set: what can be checked without knowing the model."""
    if not path.exists():
        raise DataError(f"{path}: no such file or directory", "check the path of --dataset")
    if path.is_file() and path.suffix.lower() == ".npz":
        from tinyserve.datasets import arrays

        arrays.read_npz(path)


def load(
    path: Path,
    manifest: Manifest,
    limit: int | None = None,
    output: str = "",
    wanted: Wanted = ANY,
    *,
    reading: Reading = AS_IT_IS,
) -> TaskData:
    """A data set with labels for the model's inputs. Real values are quantized as the model wants them.

    ``limit``: no more than the first so many samples. ``output``: whose labels they are, of several.
    ``reading``: how samples are made of images, tables and audio.

    Raises DataError where it is missing, malformed, or has no labels and is there for the task alone: a
    pipeline's paths and a decision's events are counted without any.
    """
    data = unchecked(path, manifest, limit, output, wanted, reading)
    if not data.is_measured and not _happens(manifest):
        raise DataError(f"{path}: has no labels, so that there is nothing to measure", "add an array 'y'")
    return data


def unchecked(  # noqa: PLR0917 - as load
    path: Path, manifest: Manifest, limit: int | None, output: str, wanted: Wanted, reading: Reading
) -> TaskData:
    """As ``load``, whether or not there are labels."""
    from tinyserve.datasets import stream

    place = output_place(manifest, output)
    how = replace(reading, labels=output).at(manifest.rate_hz)
    found = stream.load(path, manifest.inputs, how)
    labels = named_labels(found, manifest.labels)
    labels = None if labels is None else labels[:limit]
    task = _task(path, manifest, place, labels, wanted)
    real = [array[:limit] for array in found.inputs]
    inputs = [
        np.ascontiguousarray(quantize(array, info)) for array, info in zip(real, manifest.inputs, strict=True)
    ]
    digested = inputs if labels is None else [*inputs, labels]
    return TaskData(path.name, _digest(digested), inputs, labels, real, task, place)


def _task(path: Path, manifest: Manifest, place: int, labels: Array | None, wanted: Wanted) -> Task:
    info = manifest.outputs[place]
    try:
        task = choose(info, manifest.inputs, manifest.labels, labels, wanted)
        if isinstance(task, Classification) and labels is not None:
            task.indices(labels, len(labels))
    except DataError as error:
        raise DataError(f"{path}: {error.message}", error.hint) from error
    return task


def _happens(manifest: Manifest) -> bool:
    """Whether inferences show more than their outputs: the path that they took, an event."""
    return manifest.source.framework == PIPELINE or EVENT in manifest.outputs


def named_labels(samples: Dataset, names: Sequence[str]) -> Array | None:
    """The labels; where the data's classes have names (folders of images) that are the model's, as names: the
    data may have them in another order than the model."""
    labels = samples.labels
    if labels is None or not samples.classes or not set(samples.classes) <= set(names):
        return labels
    return np.array(samples.classes)[labels.astype(np.intp)]


def output_place(manifest: Manifest, name: str) -> int:
    """The number of an output by its name, the only one without. Raises DataError, UsageError."""
    names = [info.name for info in manifest.outputs]
    if not name:
        pipeline = manifest.source.framework == PIPELINE
        if pipeline or (len(names) == 2 and manifest.outputs[1] == EVENT):
            return 0
        if len(names) > 1:
            raise DataError(
                f"the model has {counted(len(names), 'output')} ({', '.join(names)}), and labels are of one",
                f"name it: --output {names[0]}",
            )
        return 0
    if name not in names:
        raise UsageError(f"--output {name}: the model has no such output", f"it has: {', '.join(names)}")
    return names.index(name)


def _digest(arrays: Sequence[Array]) -> str:
    total = hashlib.sha256()
    for array in arrays:
        total.update(f"{array.dtype} {array.shape}".encode())
        total.update(
            repr(array.tolist()).encode() if array.dtype.hasobject else np.ascontiguousarray(array).tobytes()
        )
    return total.hexdigest()


def measured(
    data: TaskData, outputs: Sequence[Array], manifest: Manifest, original: list[Score]
) -> Accuracy | None:
    """The metrics of a device's outputs (in the model's own type) for all samples; ``original``: those of the
    float original. None where the task needs labels and there are none."""
    if not data.is_measured:
        return None
    info = manifest.outputs[data.place]
    scores, tally = _tallied(data, dequantize(np.stack(outputs), info))
    confusion = [] if tally.confusion is None else tally.confusion.tolist()
    return Accuracy(
        dataset=data.name,
        dataset_sha256=data.sha256,
        samples=len(data),
        correct=getattr(tally, "correct", 0),
        confusion=confusion,
        scores=TaskScores(
            task=data.task.name,
            why=data.task.why,
            output=info.name,
            samples=len(data),
            converted=scores,
            original=original,
            doubt=doubt_of(data.task, tally.confusion, manifest.labels),
        ),
        classes=manifest.labels if len(manifest.labels) == len(confusion) else [],
    )


def _tallied(data: TaskData, real: Array) -> tuple[list[Score], Tally]:
    tally = data.task.tally()
    tally.add(data.task.rows(0, real, data.labels, data.real_inputs))
    return tally.scores(), tally


def original_scores(bundle: Bundle, data: TaskData, operators: tuple[Path, ...] = ()) -> list[Score]:
    """Metrics of the float original that the bundle was quantized from, run on this computer by our own
    float32 kernels; empty where the bundle has none or it can't be compiled."""
    path = bundle.original_path()
    if path is None or not data.is_measured:
        return []
    from tinyserve.bench.accuracy.batches import run_host
    from tinyserve.compiler.compile import compile_model
    from tinyserve.compiler.host.model import FAST, HostModel

    try:
        compiled = compile_model(path.read_bytes(), replace(FAST, operators=operators))
        tensors = compiled.program.input_tensors
        given = [
            array.astype(tensor.dtype.numpy) for array, tensor in zip(data.real_inputs, tensors, strict=True)
        ]
        reset = not bundle.manifest.stream
        return _tallied(data, run_host(HostModel(compiled), compiled, given, data.place, reset=reset))[0]
    except TinyserveError:
        return []
