# SPDX-License-Identifier: Apache-2.0
"""Pieces of a data set through the compiled model: on this machine's cores, or on a Dask cluster.

Results come in the order of the pieces; as many as keep every core busy are in memory.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy.typing as npt

from tinyserve import bundle, platforms
from tinyserve.bench.matrix.transport import Packed, pack, unpack
from tinyserve.bundle import Bundle, TensorInfo
from tinyserve.cluster.scheduler import connected, threads_of
from tinyserve.cluster.work import done
from tinyserve.compiler.compile import Compiled, compile_model
from tinyserve.compiler.host.model import FAST, HostModel
from tinyserve.datasets.dataset import Dataset
from tinyserve.datasets.stream import Part
from tinyserve.errors import UsageError

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Work:
    """A piece that is to be run: its number, and that of its first sample."""

    index: int
    first: int
    part: Part


@dataclass(frozen=True)
class Done:
    """What became of it: the output (N, ...) that was asked for, in the model's type, and the samples."""

    index: int
    first: int
    output: Array
    samples: Dataset


def execute(
    made: Bundle,
    waiting: Iterable[Work],
    jobs: int | None,
    scheduler: str,
    *,
    output: int = 0,
    operators: tuple[Path, ...] = (),
) -> Iterator[Done]:
    """Runs the pieces on ``jobs`` threads (one per core by default), or on the cluster of ``scheduler``, with
    the operators of those directories from outside.

    What has to be built is built before this returns. Raises DataError, ToolError, DeviceError.
    """
    if scheduler and made.manifest.stream:
        raise UsageError("a stream has one order, and no cluster to share it", "leave --scheduler out")
    if scheduler:
        return _on_cluster(made, waiting, scheduler, output, operators)
    compiled = compile_model(made.model_bytes(), replace(FAST, operators=operators))
    HostModel(compiled)
    if made.manifest.stream:
        return _in_order(compiled, made.manifest.inputs, waiting, output)
    return _on_threads(compiled, made.manifest.inputs, waiting, jobs or platforms.here().processors(), output)


def quantized(samples: Dataset, inputs: Sequence[TensorInfo]) -> list[Array]:
    """The samples in the model's own types."""
    return [bundle.quantize(array, info) for array, info in zip(samples.inputs, inputs, strict=True)]


def _on_threads(
    compiled: Compiled, inputs: Sequence[TensorInfo], waiting: Iterable[Work], jobs: int, place: int
) -> Iterator[Done]:
    """Reading images, quantization and C run without Python's lock; each thread has an arena of its own."""
    local = threading.local()

    def infer(work: Work) -> Done:
        if not hasattr(local, "model"):
            local.model = HostModel(compiled)
        samples = work.part.read()
        output = run_host(local.model, compiled, quantized(samples, inputs), place)
        return Done(work.index, work.first, output, samples)

    with ThreadPoolExecutor(jobs, thread_name_prefix="accuracy") as pool:
        running: deque[Future[Done]] = deque()
        try:
            for work in waiting:
                running.append(pool.submit(infer, work))
                if len(running) > 2 * jobs:
                    yield running.popleft().result()
            while running:
                yield running.popleft().result()
        finally:
            for future in running:
                future.cancel()


def _in_order(
    compiled: Compiled, inputs: Sequence[TensorInfo], waiting: Iterable[Work], place: int
) -> Iterator[Done]:
    """Samples that follow one another, on one model whose state lives from the first to the last."""
    model, next_sample = HostModel(compiled), 0
    for work in waiting:
        if work.first != next_sample:
            raise UsageError(
                f"samples of a stream cannot go on at number {work.first}: what came before is forgotten",
                "give --predictions a new directory",
            )
        samples = work.part.read()
        next_sample += len(samples)
        output = run_host(model, compiled, quantized(samples, inputs), place, reset=False)
        yield Done(work.index, work.first, output, samples)


def run_host(
    model: HostModel, compiled: Compiled, inputs: list[Array], output: int = 0, *, reset: bool = True
) -> Array:
    """One output (N, ...) of samples (N, *sample shape); with ``reset`` state starts afresh with each."""
    tensors = compiled.program.input_tensors
    shaped = [array.reshape(len(array), *t.shape) for array, t in zip(inputs, tensors, strict=True)]
    return model.run_batch(shaped, reset=reset)[output]


def _on_cluster(
    made: Bundle, waiting: Iterable[Work], scheduler: str, place: int, operators: tuple[Path, ...]
) -> Iterator[Done]:
    """On workers, which need tinyserve and a C compiler. Samples travel quantized: a quarter of the bytes."""
    with connected(scheduler) as client:
        threads = threads_of(client, scheduler)
        sent = client.scatter(made.model_bytes(), broadcast=True)
        outside = tuple(pack(directory) for directory in operators)

        def start(read: tuple[Work, Dataset]) -> Any:
            inputs = quantized(read[1], made.manifest.inputs)
            return client.submit(infer_remotely, sent, inputs, place, outside, pure=False)

        pieces = ((work, work.part.read()) for work in waiting)
        remedy = "see to its workers and run it again: with --predictions it goes on where it ended"
        for (work, samples), outputs in done(client, threads, pieces, start, remedy=remedy):
            yield Done(work.index, work.first, outputs, samples)


def infer_remotely(
    model: bytes, inputs: list[Array], output: int = 0, outside: tuple[Packed, ...] = ()
) -> Array:
    """What a cluster's worker does with a piece."""
    compiled, host, lock = _remote_model(model, tuple(unpack(directory) for directory in outside))
    with lock:
        return run_host(host, compiled, inputs, output)


@lru_cache(maxsize=4)
def _remote_model(model: bytes, operators: tuple[Path, ...]) -> tuple[Compiled, HostModel, threading.Lock]:
    compiled = compile_model(model, replace(FAST, operators=operators))
    return compiled, HostModel(compiled), threading.Lock()
