# SPDX-License-Identifier: Apache-2.0
"""Scenarios on this computer under MLCommons LoadGen: the compiled model is the system under test.

A query waits until the model is free (queue time) and is then computed (compute time); both are taken
around the call of the compiled model, so Python's own work counts as queue time. One model, one thread.
"""

from __future__ import annotations

import queue
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy.typing as npt

from tinyserve.bench.result import Scenario, ScenarioResult
from tinyserve.bench.scenarios.queries import PERCENTILE, Served, most_streams, result_of
from tinyserve.bench.scenarios.statistics import percentile
from tinyserve.compiler.host.model import HostModel
from tinyserve.errors import ToolError, UsageError

Array = npt.NDArray[Any]

SEARCH_MS = 700
FINAL_MS = 2000
LONGEST_MS = 10_000
SURE_QUERIES = 800  # LoadGen's early stopping wants 662 for a 99th percentile
SEARCH_STEPS = 6
STREAM_PRECISION = 0.02
_MAX_STREAMS = 4096
_BACK_OFF = 0.6
_LEAST_LOAD = 0.05


@dataclass(frozen=True)
class _Run:
    """One LoadGen test: what was timed, and LoadGen's verdict."""

    served: Served
    valid: bool


def run(
    name: Scenario, model: HostModel, inputs: Sequence[Array], latency_bound_us: float | None, seed: int
) -> ScenarioResult:
    """A scenario's metric. ``inputs`` are samples in the model's types, one array per input.

    Raises ToolError without mlcommons-loadgen, UsageError where a latency bound is missing.
    """
    if name in ("server", "multi-stream") and latency_bound_us is None:
        raise UsageError(f"--scenario {name} needs a latency bound", "add --latency-bound-ms 20")
    generator = _Generator(model, inputs, seed)
    if name == "single-stream":
        done = generator.test("SingleStream", FINAL_MS)
        return _result(name, percentile(sorted(done.served.latency_us), 90), done, None)
    if name == "offline":
        done = generator.test("Offline", FINAL_MS, offline_expected_qps=generator.rate())
        return _result(name, done.served.throughput(), done, None)
    assert latency_bound_us is not None
    if name == "server":
        return _server(generator, latency_bound_us)
    return _multi_stream(generator, latency_bound_us)


def _server(generator: _Generator, bound_us: float) -> ScenarioResult:
    """The largest rate of Poisson arrivals whose 99th percentile keeps the bound, by bisection."""

    def attempt(rate: float, duration_ms: int) -> _Run:
        return generator.test(
            "Server", duration_ms, server_target_qps=rate, server_target_latency_ns=int(bound_us * 1000),
            server_target_latency_percentile=PERCENTILE / 100,
        )  # fmt: skip

    def kept(rate: float) -> bool:
        return _keeps(partial(attempt, rate, SEARCH_MS), bound_us)

    fastest = generator.rate()
    slowest = fastest * _LEAST_LOAD
    if bound_us < 1e6 / fastest or not kept(slowest):
        return _result("server", 0.0, attempt(slowest, FINAL_MS), bound_us)
    low, high = slowest, fastest
    for _ in range(SEARCH_STEPS):
        middle = (low + high) / 2
        low, high = (middle, high) if kept(middle) else (low, middle)
    while True:
        done = attempt(low, _duration_ms(low))
        if done.served.tail_us <= bound_us or low <= slowest:
            return _result("server", low if done.served.tail_us <= bound_us else 0.0, done, bound_us)
        low *= _BACK_OFF  # a longer run meets rarer disturbances


def _duration_ms(rate: float) -> int:
    """Long enough for LoadGen to be sure of a 99th percentile, within reason."""
    return round(min(max(FINAL_MS, 1000 * SURE_QUERIES / rate), LONGEST_MS))


def _keeps(attempt: Callable[[], _Run], bound_us: float) -> bool:
    """Whether a short run keeps the bound; a second one decides, since a busy computer disturbs some."""
    return attempt().served.tail_us <= bound_us or attempt().served.tail_us <= bound_us


def _multi_stream(generator: _Generator, bound_us: float) -> ScenarioResult:
    """The largest number of samples per query whose p99 keeps the bound."""

    def attempt(streams: int, duration_ms: int) -> _Run:
        return generator.test(
            "MultiStream", duration_ms, multi_stream_samples_per_query=streams,
            multi_stream_expected_latency_ns=int(1e9 * streams / generator.rate()),
            multi_stream_target_latency_percentile=PERCENTILE / 100,
        )  # fmt: skip

    def kept(streams: int) -> bool:
        return _keeps(partial(attempt, streams, SEARCH_MS // 2), bound_us)

    streams = most_streams(kept, _MAX_STREAMS, STREAM_PRECISION)
    return _result("multi-stream", streams, attempt(max(streams, 1), FINAL_MS), bound_us)


def _result(name: Scenario, value: float, done: _Run, bound_us: float | None) -> ScenarioResult:
    note = "MLCommons LoadGen on this computer, one thread"
    if not done.valid:
        note += "; LoadGen calls the run invalid"
    return result_of(name, "loadgen", value, done.served, bound_us=bound_us, note=note, valid=done.valid)


class _Generator:
    """LoadGen around one model. LoadGen's state is global: one test at a time in a process."""

    def __init__(self, model: HostModel, inputs: Sequence[Array], seed: int) -> None:
        try:
            import mlperf_loadgen
        except ImportError as error:
            raise ToolError(
                "scenarios on this computer need MLCommons LoadGen", "pip install 'tinyserve[bench]'"
            ) from error
        self._loadgen = mlperf_loadgen
        self._model = model
        self._inputs = inputs
        self._seed = seed
        self._rate = 0.0

    def rate(self) -> float:
        """Inferences per second of the model alone, from a short run."""
        if not self._rate:
            served = self.test("SingleStream", SEARCH_MS // 2).served
            self._rate = 1e6 / percentile(sorted(served.compute_us), 50)
        return self._rate

    def test(self, scenario: str, duration_ms: int, **settings: float) -> _Run:
        """One LoadGen performance test."""
        loadgen = self._loadgen
        chosen = loadgen.TestSettings()
        chosen.scenario = getattr(loadgen.TestScenario, scenario)
        chosen.mode = loadgen.TestMode.PerformanceOnly
        chosen.min_duration_ms = duration_ms
        chosen.max_duration_ms = duration_ms * 4
        chosen.min_query_count = 1
        chosen.qsl_rng_seed = chosen.sample_index_rng_seed = chosen.schedule_rng_seed = self._seed + 1
        for name, value in settings.items():
            setattr(chosen, name, value)
        with tempfile.TemporaryDirectory(prefix="tinyserve-loadgen-") as directory:
            logs = loadgen.LogSettings()
            logs.log_output.outdir = directory
            logs.log_output.copy_summary_to_stdout = False
            logs.enable_trace = False
            served = self._play(chosen, logs)
            summary = (Path(directory) / "mlperf_log_summary.txt").read_text(encoding="utf-8")
        return _Run(served, "Result is : VALID" in summary)

    def _play(self, settings: Any, logs: Any) -> Served:
        """Runs a test. Offline has one query, which the samples share: each counts there."""
        offline = settings.scenario == self._loadgen.TestScenario.Offline
        system = _System(self._loadgen, self._infer, every_sample=offline)
        count = len(self._inputs[0])
        library = self._loadgen.ConstructQSL(count, count, _ignore, _ignore)
        handle = self._loadgen.ConstructSUT(system.issue, _ignore_flush)
        try:
            self._loadgen.StartTestWithLogSettings(handle, library, settings, logs)
        finally:
            system.stop()
            self._loadgen.DestroySUT(handle)
            self._loadgen.DestroyQSL(library)
        return system.served

    def _infer(self, index: int) -> None:
        self._model.run([array[index : index + 1] for array in self._inputs])


class _System:
    """Takes LoadGen's queries into a queue that one thread serves."""

    def __init__(self, loadgen: Any, infer: Callable[[int], None], every_sample: bool) -> None:
        self.served = Served()
        self._every_sample = every_sample
        self._loadgen = loadgen
        self._infer = infer
        self._queries: queue.SimpleQueue[tuple[int, list[tuple[int, int]]] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def issue(self, samples: Sequence[Any]) -> None:
        self._queries.put((time.perf_counter_ns(), [(sample.id, sample.index) for sample in samples]))

    def stop(self) -> None:
        self._queries.put(None)
        self._thread.join()

    def _serve(self) -> None:
        while (query := self._queries.get()) is not None:
            issued, samples = query
            for place, (identifier, index) in enumerate(samples):
                start = time.perf_counter_ns()
                self._infer(index)
                end = time.perf_counter_ns()
                if self._every_sample or place == len(samples) - 1:
                    self.served.queue_us.append((start - issued) / 1000)
                    self.served.compute_us.append((end - start) / 1000)
                response = self._loadgen.QuerySampleResponse(identifier, 0, 0)
                self._loadgen.QuerySamplesComplete([response])


def _ignore(indices: Sequence[int]) -> None:
    """Samples are in memory all the time: nothing to load or unload."""


def _ignore_flush() -> None:
    """Queries are never held back."""
