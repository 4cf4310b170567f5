# SPDX-License-Identifier: Apache-2.0
"""Accuracy over data sets of any size: the compiled model as a library on this machine, on all cores.

The library gives the bytes that the device gives. Data is read in pieces while earlier pieces run, so that
memory is that of a few pieces; predictions go to Parquet, and a run that was stopped is taken up again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from tinyserve import bundle
from tinyserve.bench.accuracy.batches import Done, Work, execute, quantized, run_host
from tinyserve.bench.accuracy.dataset import named_labels, output_place
from tinyserve.bench.accuracy.predictions import Store, describe
from tinyserve.bundle import Bundle, Manifest, Score, TensorInfo
from tinyserve.compiler.compile import compile_model
from tinyserve.compiler.graph import reader
from tinyserve.compiler.host.model import FAST, HostModel
from tinyserve.compiler.ops.support import tflm_resolver
from tinyserve.convert.worker.child import Worker
from tinyserve.convert.worker.messages import RunTflite
from tinyserve.datasets.named import AS_IT_IS, Reading
from tinyserve.datasets.stream import Part, open_stream
from tinyserve.errors import UnsupportedError, UsageError
from tinyserve.progress import Progress, silent
from tinyserve.quality.rows import Rows, Task, joined
from tinyserve.quality.tasks import ANY, Wanted, choose

Array = npt.NDArray[Any]

_PIECE_BYTES = 4 << 20  # of samples in real units: several pieces per thread are in memory
_PIECE_SAMPLES = (4, 8192)
_KEPT = 1000  # predictions, to compare engines by
_REMOTE_TIMEOUT_S = 600


@dataclass(frozen=True)
class Summary:
    """A run over a data set.

    ``scores`` are the task's metrics over the ``labelled`` samples, the main one first; none where there are
    no labels and the task needs them. ``confusion[label, prediction]`` counts samples (places of masks);
    None for other tasks or with more than 1,000 classes. ``resumed`` samples were done by an earlier run;
    ``seconds`` are of the others. ``kept``: what is known of the first 1,000 samples.
    """

    task: Task
    samples: int
    labelled: int
    scores: list[Score]
    confusion: npt.NDArray[np.int64] | None
    seconds: float
    kept: Rows
    resumed: int = 0

    @property
    def accuracy(self) -> float | None:
        """Share of right classes; None without labels, and for other tasks."""
        return next((score.value for score in self.scores if score.metric == "accuracy"), None)

    @property
    def correct(self) -> int:
        """Right classes."""
        return round((self.accuracy or 0.0) * self.labelled)

    @property
    def samples_per_second(self) -> float:
        """Of this run, data reading included."""
        return (self.samples - self.resumed) / self.seconds if self.seconds > 0 else 0.0

    def scores_of_first(self, count: int) -> list[Score]:
        """The metrics over the first ``count`` samples (up to 1,000)."""
        tally = self.task.tally()
        tally.add(self.kept.head(count))
        return tally.scores()


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
    wanted: Wanted = ANY,
    operators: tuple[Path, ...] = (),
) -> Summary:
    """Runs a bundle's model over ``dataset`` (see ``convert.stream``) and takes the metrics of its task.

    ``predictions``: a directory for Parquet files; what an earlier run of the same model over the same data
    left there is not run again. ``jobs``: threads, one per core by default. ``piece``: samples that are read
    at once and written to a file. ``scheduler``: a Dask scheduler that does the work instead.
    ``output``: whose labels they are, for a model of several outputs. ``wanted``: the task, where the labels
    do not say it. ``operators``: directories of operators from outside.

    Raises DataError, UsageError, ToolError, FileSystemError, DeviceError.
    """
    place = output_place(made.manifest, output)
    reading = replace(reading, labels=output)
    piece = piece or piece_samples(made.manifest.inputs)
    stream = open_stream(dataset, made.manifest.inputs, piece, reading.at(made.manifest.rate_hz))
    task, pieces = _task(made.manifest, place, stream.pieces, wanted)
    store = None
    if predictions is not None:
        about = describe(
            dataset,
            made.model_bytes(),
            samples=stream.total,
            piece=piece,
            reading=reading,
            output=made.manifest.outputs[place].name,
            task=f"{task.name} {wanted.top}",
        )
        store = Store(predictions, about)
    tally = _Tally(task)
    waiting = _unfinished(pieces, store, tally)
    executed = execute(made, waiting, jobs, scheduler, output=place, operators=operators)
    started = time.monotonic()
    for done in executed:
        found = _rows(done, made.manifest.outputs[place], task, made.manifest.labels)
        if store is not None:
            store.save(done.index, found)
        tally.add(found)
        progress("run the data set", tally.samples, stream.total)
    return tally.summary(time.monotonic() - started)


def run_reference(
    made: Bundle,
    dataset: Path,
    engine: Literal["float", "tflm"],
    task: Task,
    *,
    limit: int = 1000,
    reading: Reading = AS_IT_IS,
    progress: Progress = silent,
    output: str = "",
    operators: tuple[Path, ...] = (),
) -> Summary:
    """The same over the first ``limit`` samples by another engine, to compare with: the bundle's float
    original in LiteRT, or the quantized model in TFLM's interpreter.

    Raises UsageError where the bundle has no float original, UnsupportedError where TFLM lacks operators, and
    what ``run`` raises.
    """
    is_float = engine == "float"
    model = made.original_path() if is_float else made.model_path
    if model is None:
        raise UsageError(f"{made.path}: has no float original", "convert from the float model")
    if not is_float and (lacking := tflm_resolver.lacking_in(reader.read(model.read_bytes()))):
        raise UnsupportedError(f"it has no {', '.join(lacking)}", "--no-compare")
    inputs, reading = made.manifest.inputs, replace(reading, labels=output).at(made.manifest.rate_hz)
    stream = open_stream(dataset, inputs, min(piece_samples(inputs), limit), reading)
    place = output_place(made.manifest, output)
    info = made.manifest.outputs[place]
    tally = _Tally(task)
    if is_float:
        info = TensorInfo(info.name, info.shape, "float32")
    started = time.monotonic()
    name = "run the float original" if is_float else "run TFLM"
    own = _own_operators(model, operators, place, reset=not made.manifest.stream) if is_float else None
    with Worker(silent) as worker:
        for part in stream.pieces:
            kept = part.read().take(np.arange(min(len(part), limit - tally.samples)))
            arrays = kept.inputs if is_float else quantized(kept, inputs)
            if own is not None:
                given = own(arrays)
            else:
                given = _interpreted(worker, model, "litert" if is_float else "tflm", arrays)[place]
            tally.add(_rows(Done(0, tally.samples, given, kept), info, task, made.manifest.labels))
            progress(name, tally.samples, min(limit, stream.total))
            if tally.samples >= limit:
                break
    return tally.summary(time.monotonic() - started)


def _task(
    manifest: Manifest, place: int, pieces: Iterator[Part], wanted: Wanted
) -> tuple[Task, Iterator[Part]]:
    """The task by the first piece's labels, and all pieces; the first is not read again."""
    samples = next(pieces).read()
    labels = named_labels(samples, manifest.labels)
    task = choose(manifest.outputs[place], manifest.inputs, manifest.labels, labels, wanted)
    return task, chain([Part(len(samples), lambda: samples)], pieces)


def piece_samples(inputs: Sequence[TensorInfo]) -> int:
    """How many samples of a model's inputs are read at once."""
    sample_bytes = sum(4 * int(np.prod(bundle.sample_shape(info))) for info in inputs)
    return int(np.clip(_PIECE_BYTES // max(1, sample_bytes), *_PIECE_SAMPLES))


def _interpreted(worker: Worker, model: Path, runtime: str, inputs: list[Array]) -> list[Array]:
    outputs, _ = worker.run(
        lambda sent, received: RunTflite(runtime, model.absolute(), sent, received), inputs, "run"
    )
    return outputs


def _own_operators(
    model: Path, operators: tuple[Path, ...], place: int, *, reset: bool
) -> Callable[[list[Array]], Array] | None:
    """What runs a float model with operators that LiteRT lacks (trees, signal front ends): it is compiled."""
    data = model.read_bytes()
    if not any(node.custom for graph in reader.read(data).graphs for node in graph.nodes):
        return None
    compiled = compile_model(data, replace(FAST, operators=operators))
    host = HostModel(compiled)
    return lambda inputs: run_host(host, compiled, inputs, place, reset=reset)


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


def _rows(done: Done, info: TensorInfo, task: Task, names: Sequence[str]) -> Rows:
    real = bundle.dequantize(done.output, info)
    return task.rows(done.first, real, named_labels(done.samples, names), done.samples.inputs)


class _Tally:
    """Counts samples as they come, and keeps the first."""

    def __init__(self, task: Task) -> None:
        self._task = task
        self._tally = task.tally()
        self._kept: list[Rows] = []
        self.samples = self._resumed = 0

    def add(self, rows: Rows, resumed: bool = False) -> None:
        if self.samples < _KEPT:
            self._kept.append(rows.head(_KEPT - self.samples))
        self.samples += len(rows)
        self._resumed += len(rows) if resumed else 0
        self._tally.add(rows)

    def summary(self, seconds: float) -> Summary:
        return Summary(
            task=self._task,
            samples=self.samples,
            labelled=self._tally.labelled,
            scores=self._tally.scores(),
            confusion=self._tally.confusion if self._tally.labelled else None,
            seconds=seconds,
            kept=joined(self._kept),
            resumed=self._resumed,
        )
