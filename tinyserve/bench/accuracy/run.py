# SPDX-License-Identifier: Apache-2.0
"""Accuracy over data sets of any size: the compiled model as a library on this machine, on all cores.

The library gives the bytes that the device gives. Data is read in pieces while earlier pieces run, so that
memory is that of a few pieces; predictions go to Parquet, and a run that was stopped is taken up again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from tinyserve import bundle
from tinyserve.bench.accuracy.batches import Done, Work, execute, quantized
from tinyserve.bench.accuracy.dataset import check_outputs, check_shape
from tinyserve.bench.accuracy.predictions import Piece, Store, describe
from tinyserve.bundle import Bundle, Manifest, TensorInfo
from tinyserve.convert.worker.child import Worker
from tinyserve.convert.worker.messages import RunTflite
from tinyserve.datasets.named import AS_IT_IS, Reading
from tinyserve.datasets.stream import Part, open_stream
from tinyserve.errors import DataError, UsageError
from tinyserve.progress import Progress, silent

Array = npt.NDArray[Any]
Infer = Callable[[list[Array]], Array]
"""Inputs (N, *sample shape) in the model's own types to the first output (N, ...)."""

_PIECE_BYTES = 4 << 20  # of samples in real units: several pieces per thread are in memory
_PIECE_SAMPLES = (4, 8192)
_MOST_CLASSES = 1000
_KEPT = 1000  # predictions, to compare engines by
_REMOTE_TIMEOUT_S = 600


@dataclass(frozen=True)
class Summary:
    """A run over a data set.

    ``confusion[label, prediction]`` counts samples; None without labels or with more than 1,000 classes.
    ``resumed`` samples were done by an earlier run; ``seconds`` are of the others. ``predicted``: the classes
    of the first 1,000 samples.
    """

    samples: int
    labelled: int
    correct: int
    confusion: npt.NDArray[np.int64] | None
    seconds: float
    resumed: int = 0
    predicted: npt.NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))

    @property
    def accuracy(self) -> float | None:
        """Share of right predictions; None without labels."""
        return self.correct / self.labelled if self.labelled else None

    @property
    def samples_per_second(self) -> float:
        """Of this run, data reading included."""
        return (self.samples - self.resumed) / self.seconds if self.seconds > 0 else 0.0


def run(
    made: Bundle,
    dataset: Path,
    *,
    predictions: Path | None = None,
    jobs: int | None = None,
    piece: int | None = None,
    scheduler: str = "",
    reading: Reading = AS_IT_IS,
    progress: Progress = silent,
    output: str = "",
    operators: tuple[Path, ...] = (),
) -> Summary:
    """Runs a bundle's model over ``dataset`` (see ``convert.stream``) and counts right predictions.

    ``predictions``: a directory for Parquet files; what an earlier run of the same model over the same data
    left there is not run again. ``jobs``: threads, one per core by default. ``piece``: samples that are read
    at once and written to a file. ``scheduler``: a Dask scheduler that does the work instead.
    ``output``: whose classes the labels are, for a model of several outputs. ``operators``: directories of
    operators from outside.

    Raises DataError, ToolError, FileSystemError, DeviceError.
    """
    place = output_place(made.manifest, output)
    piece = piece or piece_samples(made.manifest.inputs)
    stream = open_stream(dataset, made.manifest.inputs, piece, reading)
    store = None
    if predictions is not None:
        store = Store(predictions, describe(dataset, made.model_bytes(), stream.total, piece, reading))
    tally = _Tally(made.manifest.outputs[place])
    waiting = _unfinished(stream.pieces, store, tally)
    executed = execute(made, waiting, jobs, scheduler, output=place, operators=operators)
    started = time.monotonic()
    for done in executed:
        found = _piece(done, made.manifest.outputs[place])
        if store is not None:
            store.save(done.index, found)
        tally.add(found)
        progress("run the data set", tally.samples, stream.total)
    return tally.summary(time.monotonic() - started)


def run_reference(
    made: Bundle,
    dataset: Path,
    engine: Literal["float", "tflm"],
    *,
    limit: int = 1000,
    reading: Reading = AS_IT_IS,
    progress: Progress = silent,
    output: str = "",
) -> Summary:
    """The same over the first ``limit`` samples by another engine, to compare with: the bundle's float
    original in LiteRT, or the quantized model in TFLM's interpreter.

    Raises UsageError where the bundle has no float original, and what ``run`` raises.
    """
    is_float = engine == "float"
    model = made.original_path() if is_float else made.model_path
    if model is None:
        raise UsageError(f"{made.path}: has no float original", "convert from the float model")
    inputs = made.manifest.inputs
    stream = open_stream(dataset, inputs, min(piece_samples(inputs), limit), reading)
    place = output_place(made.manifest, output)
    info = made.manifest.outputs[place]
    tally = _Tally(info)
    if is_float:
        info = TensorInfo(info.name, info.shape, "float32")
    started = time.monotonic()
    with Worker(progress) as worker:
        for part in stream.pieces:
            kept = part.read().take(np.arange(min(len(part), limit - tally.samples)))
            arrays = kept.inputs if is_float else quantized(kept, inputs)
            given = _interpreted(worker, model, "litert" if is_float else "tflm", arrays)[place]
            tally.add(_piece(Done(0, tally.samples, given, kept.labels), info))
            if tally.samples >= limit:
                break
    return tally.summary(time.monotonic() - started)


def output_place(manifest: Manifest, name: str) -> int:
    """The number of an output by its name, the only one without. Raises DataError, UsageError."""
    if not name:
        check_outputs(manifest)
        return 0
    names = [info.name for info in manifest.outputs]
    if name not in names:
        raise UsageError(f"--output {name}: the model has no such output", f"it has: {', '.join(names)}")
    return names.index(name)


def piece_samples(inputs: Sequence[TensorInfo]) -> int:
    """How many samples of a model's inputs are read at once."""
    sample_bytes = sum(4 * int(np.prod(bundle.sample_shape(info))) for info in inputs)
    return int(np.clip(_PIECE_BYTES // max(1, sample_bytes), *_PIECE_SAMPLES))


def _interpreted(worker: Worker, model: Path, runtime: str, inputs: list[Array]) -> list[Array]:
    outputs, _ = worker.run(
        lambda sent, received: RunTflite(runtime, model.absolute(), sent, received), inputs, "run"
    )
    return outputs


def _unfinished(pieces: Iterable[Part], store: Store | None, tally: _Tally) -> Iterator[Work]:
    """Those that an earlier run finished are counted and left out."""
    first = 0
    for index, part in enumerate(pieces):
        done = store.load(index) if store is not None else None
        if done is not None:
            tally.add(done, resumed=True)
        else:
            yield Work(index, first, part)
        first += len(part)


def _piece(done: Done, info: TensorInfo) -> Piece:
    flat = done.output.reshape(len(done.output), -1)
    real = bundle.dequantize(flat, info)
    # One value is the probability of the second of two classes.
    predicted = flat.argmax(axis=1) if flat.shape[1] > 1 else real[:, 0] > 0.5
    return Piece(done.first, predicted.astype(np.int64), _labels(done, info), real.max(axis=1))


def _labels(done: Done, info: TensorInfo) -> npt.NDArray[np.int64]:
    """Class indices; -1 for all where the data has none. Raises DataError for labels that are no class."""
    labels = done.labels
    if labels is None:
        return np.full(len(done.output), -1, np.int64)
    check_shape(labels, f"sample {done.first}")
    classes = max(2, int(np.prod(info.shape)))
    whole = labels.astype(np.int64) if labels.dtype.kind in "fiub" else np.full(len(labels), -1)
    if (whole != labels).any() or whole.min() < 0 or whole.max() >= classes:
        bad = int(np.argmax((whole < 0) | (whole >= classes) | (whole != labels)))
        raise DataError(
            f"the label of sample {done.first + bad} is {labels[bad]!s}, classes are 0 to {classes - 1}",
            "give class indices from 0",
        )
    return whole


class _Tally:
    """Counts predictions as they come."""

    def __init__(self, output: TensorInfo) -> None:
        self._predicted: list[npt.NDArray[np.int64]] = []
        self.samples = self._resumed = self._labelled = self._correct = 0
        classes = max(2, int(np.prod(output.shape)))
        self._confusion = np.zeros((classes, classes), np.int64) if classes <= _MOST_CLASSES else None

    def add(self, piece: Piece, resumed: bool = False) -> None:
        known = piece.labels >= 0
        if self.samples < _KEPT:
            self._predicted.append(piece.predicted[: _KEPT - self.samples])
        self.samples += len(piece)
        self._resumed += len(piece) if resumed else 0
        self._labelled += int(known.sum())
        self._correct += int((piece.predicted == piece.labels)[known].sum())
        if self._confusion is not None:
            np.add.at(self._confusion, (piece.labels[known], piece.predicted[known]), 1)

    def summary(self, seconds: float) -> Summary:
        confusion = self._confusion if self._labelled else None
        kept = np.concatenate([np.empty(0, np.int64), *self._predicted])
        return Summary(
            samples=self.samples,
            labelled=self._labelled,
            correct=self._correct,
            confusion=confusion,
            seconds=seconds,
            resumed=self._resumed,
            predicted=kept,
        )
