# SPDX-License-Identifier: Apache-2.0
"""Runs a model over data into a sink: what is there already is not computed again, and all of it is
published at once, if it is as expected."""

from __future__ import annotations

import hashlib
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec
import numpy as np

from tinyserve import __version__, workflow
from tinyserve.bench.accuracy.batches import Work, quantized
from tinyserve.bench.scenarios.outputs import alike
from tinyserve.bundle import Bundle
from tinyserve.compiler.compile import compile_model
from tinyserve.compiler.host.model import HostModel
from tinyserve.compiler.program import PORTABLE
from tinyserve.datasets.named import AS_IT_IS, Reading
from tinyserve.datasets.stream import Stream, open_stream
from tinyserve.errors import BudgetError, FileSystemError
from tinyserve.predict import gate, rows
from tinyserve.predict.engines import Computed, Runner
from tinyserve.predict.gate import DriftGate, Expect
from tinyserve.predict.mqtt.address import PLAIN as NO_BROKER
from tinyserve.predict.mqtt.address import Messages
from tinyserve.predict.sinks import Sink, open_sink
from tinyserve.predict.sinks.base import Job, Manifest
from tinyserve.progress import Progress, silent
from tinyserve.words import counted

PIECE = 8192
VERIFIED_BY = "portable kernels on this computer"


@dataclass(frozen=True)
class Settings:
    """``verify``: the share of samples, 0..1, that are computed again by the portable kernels. ``expects``:
    what must hold before results are published; ``drift``: and that the data looks like the bundle's
    profile."""

    output: int = 0
    piece: int = PIECE
    reading: Reading = AS_IT_IS
    verify: float = 0.0
    expects: tuple[Expect, ...] = ()
    drift: bool = False


PLAIN = Settings()


@dataclass(frozen=True)
class Summary:
    """``resumed``: samples that were there already. ``seconds``: of this run."""

    manifest: Manifest
    resumed: int
    seconds: float

    @property
    def per_second(self) -> float:
        """Samples of this run."""
        return (self.manifest.count - self.resumed) / self.seconds if self.seconds > 0 else 0.0


def predict(
    made: Bundle,
    data: Path,
    *,
    out: Path | str,
    runner: Runner,
    settings: Settings = PLAIN,
    messages: Messages = NO_BROKER,
    progress: Progress = silent,
) -> Summary:
    """Predictions of all samples of ``data`` in ``out`` (a path, or the URL of a database or broker),
    published. Run again after whatever ended it, it goes on where it was; run again when it is done, it does
    nothing.

    Raises BudgetError where ``settings.expects`` do not hold, the data has drifted, or a verified sample
    differs: then nothing is published, and what was computed is kept. Else what reading, computing and
    writing raise.
    """
    begin_s = time.monotonic()
    settings = replace(settings, reading=settings.reading.at(made.manifest.rate_hz))
    labels = made.manifest.labels
    for expect in settings.expects:
        gate.place(expect, labels)
    progress("read the data")
    stream = open_stream(data, made.manifest.inputs, settings.piece, settings.reading)
    drift = DriftGate(made, stream.total, settings.output) if settings.drift else None
    job = _job(made, data, stream, settings)
    job_id = hashlib.sha256(msgspec.json.encode(job)).hexdigest()[:16]
    with open_sink(str(out), job_id, job, progress, messages) as sink:
        manifest = sink.published()
        filling = _Filling(sink, stream, made, settings, drift)
        if manifest is not None:
            filling.look_again()
            _check(settings.expects, labels, sink, drift)
            return Summary(manifest, manifest.count, time.monotonic() - begin_s)
        resumed, verified = filling.run(runner, progress)
        classes = _checked(sink, job, settings, drift)
        manifest = _manifest(classes, job_id, job, runner.name, verified)
        sink.publish(manifest)
    return Summary(manifest, resumed, time.monotonic() - begin_s)


def _job(made: Bundle, data: Path, stream: Stream, settings: Settings) -> Job:
    info = made.manifest.outputs[settings.output]
    return Job(
        model=made.manifest.name, model_sha256=made.manifest.model_sha256, data=data.name,
        data_sha256=workflow.digest([data]), samples=stream.total, piece=settings.piece,
        reading=repr(settings.reading), output=info.name, labels=made.manifest.labels,
    )  # fmt: skip


@dataclass
class _Filling:
    """Computes what a sink lacks, and shows all inputs to ``drift``."""

    sink: Sink
    stream: Stream
    made: Bundle
    settings: Settings
    drift: DriftGate | None
    _resumed: int = 0

    def run(self, runner: Runner, progress: Progress) -> tuple[int, int]:
        """How many samples were there, and how many were verified."""
        output = self.settings.output
        info = self.made.manifest.outputs[output]
        verifier = _Verifier(self.made, self.settings) if self.settings.verify > 0 else None
        count = 0
        for computed in runner.run(self._missing(), output):
            if verifier is not None:
                verifier.check(computed)
            if self.drift is not None:
                self.drift.look(computed.first, computed.inputs[0])
            self.sink.save(rows.of(computed.first, computed.output, info))
            count += len(computed.output)
            progress("predict", self._resumed + count, self.stream.total)
        return self._resumed, verifier.count if verifier is not None else 0

    def look_again(self) -> None:
        """At all samples, where none is missing."""
        if self.drift is not None:
            for _ in self._missing():
                pass

    def _missing(self) -> Iterator[Work]:
        done = self.sink.done()
        first = 0
        for index, part in enumerate(self.stream.pieces):
            if first not in done:
                yield Work(index, first, part)
            else:
                self._resumed += len(part)
                if self.drift is not None:
                    self.drift.look(first, quantized(part.read(), self.made.manifest.inputs)[0])
            first += len(part)


class _Verifier:
    """Computes a share of the samples again, chosen by their numbers: the same ones in every run."""

    def __init__(self, made: Bundle, settings: Settings) -> None:
        self._compiled = compile_model(made.model_bytes(), PORTABLE, "model")
        self._model = HostModel(self._compiled)
        self._place = settings.output
        self._every = max(1, round(1 / settings.verify))
        self.count = 0

    def check(self, computed: Computed) -> None:
        """Raises BudgetError for the first sample that differs (float32: by more than a thousandth)."""
        start = -computed.first % self._every
        chosen = np.arange(start, len(computed.output), self._every)
        if not len(chosen):
            return
        tensors = self._compiled.program.input_tensors
        inputs = [
            a[chosen].reshape(len(chosen), *t.shape) for a, t in zip(computed.inputs, tensors, strict=True)
        ]
        expected = self._model.run_batch(inputs)[self._place].reshape(len(chosen), -1)
        got = computed.output[chosen].reshape(len(chosen), -1)
        wrong = np.flatnonzero(~alike(got, expected).all(axis=1))
        if len(wrong):
            sample = computed.first + int(chosen[wrong[0]])
            raise BudgetError(
                f"sample {sample}: the prediction differs from that of the {VERIFIED_BY}",
                "nothing was published: run `tinyserve accuracy` for where the engines differ",
            )
        self.count += len(chosen)


def _check(
    expects: Sequence[Expect], labels: Sequence[str], sink: Sink, drift: DriftGate | None
) -> tuple[int, Counter[int]]:
    count, classes = sink.totals()
    wrong = gate.violations(expects, labels, classes)
    wrong += drift.violations(classes) if drift is not None else []
    if wrong:
        raise BudgetError(
            "the predictions are not as expected: " + "; ".join(wrong),
            "they are kept, and published when this is run again with another --expect, or without --drift,"
            " without computing",
        )
    return count, classes


def _checked(sink: Sink, job: Job, settings: Settings, drift: DriftGate | None) -> Counter[int]:
    """How often each class was the best, once all samples are there and are as expected."""
    count, classes = _check(settings.expects, job.labels, sink, drift)
    if count != job.samples:
        raise FileSystemError(
            f"{counted(count, 'prediction')} of "
            f"{counted(job.samples, 'sample is', 'samples are')} there: one of them has changed",
            "remove the output, and run it again",
        )
    return classes


def _manifest(classes: Counter[int], job_id: str, job: Job, ran_on: str, verified: int) -> Manifest:
    named = {
        job.labels[place] if place < len(job.labels) else str(place): number
        for place, number in sorted(classes.items())
    }
    return Manifest(
        job_id=job_id, job=job, tool=f"tinyserve {__version__}", ran_on=ran_on, count=job.samples,
        verified=verified, verified_by=VERIFIED_BY if verified else "", classes=named,
    )  # fmt: skip
