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
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy.typing as npt

from tinyserve.bench.result import Scenario, ScenarioResult
from tinyserve.bench.statistics import percentile, summarize
from tinyserve.codegen.host import HostModel
from tinyserve.errors import ToolError, UsageError

Array = npt.NDArray[Any]

PERCENTILE = 99
SEARCH_MS = 700
FINAL_MS = 2000
SEARCH_STEPS = 8
_MAX_STREAMS = 4096
_BACK_OFF = 0.8
_GIVE_UP = 0.05


@dataclass
class Timings:
    """Queue and compute time of each sample, in us, in order of completion."""

    queue_us: list[float] = field(default_factory=list)
    compute_us: list[float] = field(default_factory=list)

    @property
    def latency_us(self) -> list[float]:
        return [queue + compute for queue, compute in zip(self.queue_us, self.compute_us, strict=True)]


@dataclass(frozen=True)
class _Run:
    """One LoadGen test: what was timed, and LoadGen's verdict."""

    timings: Timings
    valid: bool
    tail_us: float


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
        value = percentile(sorted(done.timings.latency_us), 90)
        return _result(name, "p90 latency", value, "us", done, None)
    if name == "offline":
        done = generator.test("Offline", FINAL_MS, offline_expected_qps=generator.rate())
        latencies = (
            done.timings.latency_us
        )  # all samples were issued at once: the last one's is the whole time
        return _result(name, "throughput", len(latencies) / max(latencies) * 1e6, "samples/s", done, None)
    assert latency_bound_us is not None
    if name == "server":
        return _server(generator, latency_bound_us)
    return _multi_stream(generator, latency_bound_us)


def _server(generator: _Generator, bound_us: float) -> ScenarioResult:
    """The largest rate of Poisson arrivals that LoadGen finds valid, by bisection."""

    def attempt(rate: float, duration_ms: int) -> _Run:
        return generator.test(
            "Server", duration_ms, server_target_qps=rate, server_target_latency_ns=int(bound_us * 1000),
            server_target_latency_percentile=PERCENTILE / 100,
        )  # fmt: skip

    low, high = 0.0, generator.rate()
    for _ in range(SEARCH_STEPS):
        middle = (low + high) / 2
        kept = _keeps(partial(attempt, middle, SEARCH_MS), bound_us)
        low, high = (middle, high) if kept else (low, middle)
    done = attempt(low or high, FINAL_MS)
    while not done.valid and low > high * _GIVE_UP:  # a longer run meets rarer disturbances
        low *= _BACK_OFF
        done = attempt(low, FINAL_MS)
    metric = "queries per second within the bound (p99)"
    return _result("server", metric, low if done.valid else 0.0, "queries/s", done, bound_us)


def _keeps(attempt: Callable[[], _Run], bound_us: float) -> bool:
    """Whether a short run keeps the bound; a second one decides, since a busy computer disturbs some."""
    return attempt().tail_us <= bound_us or attempt().tail_us <= bound_us


def _multi_stream(generator: _Generator, bound_us: float) -> ScenarioResult:
    """The largest number of samples per query whose p99 keeps the bound."""

    def attempt(streams: int, duration_ms: int) -> _Run:
        return generator.test(
            "MultiStream", duration_ms, multi_stream_samples_per_query=streams,
            multi_stream_expected_latency_ns=int(1e9 * streams / generator.rate()),
            multi_stream_target_latency_percentile=PERCENTILE / 100,
        )  # fmt: skip

    low, high = 0, 1

    def kept(streams: int) -> bool:
        return _keeps(partial(attempt, streams, SEARCH_MS // 2), bound_us)

    while high < _MAX_STREAMS and kept(high):
        low, high = high, high * 2
    while high - low > max(1, low // 50):
        middle = (low + high) // 2
        low, high = (middle, high) if kept(middle) else (low, middle)
    done = attempt(max(low, 1), FINAL_MS)
    return _result("multi-stream", "streams within the bound (p99)", low, "streams", done, bound_us)


def _result(  # noqa: PLR0917 - one value for each field that differs
    name: Scenario, metric: str, value: float, unit: str, done: _Run, bound_us: float | None
) -> ScenarioResult:
    timings = done.timings
    return ScenarioResult(
        name=name,
        method="loadgen",
        metric=metric,
        value=value,
        unit=unit,
        queries=len(timings.compute_us),
        latency_bound_us=bound_us,
        latency=summarize(timings.latency_us, "us"),
        queue=summarize(timings.queue_us, "us"),
        compute=summarize(timings.compute_us, "us"),
        valid=done.valid,
        note="MLCommons LoadGen on this computer, one thread"
        + ("" if done.valid else "; LoadGen calls the run invalid"),
    )


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
            timings = self.test("SingleStream", SEARCH_MS // 2).timings
            self._rate = 1e6 / percentile(sorted(timings.compute_us), 50)
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
            timings, latencies = self._play(chosen, logs)
            summary = (Path(directory) / "mlperf_log_summary.txt").read_text(encoding="utf-8")
        return _Run(timings, "Result is : VALID" in summary, percentile(sorted(latencies), PERCENTILE))

    def _play(self, settings: Any, logs: Any) -> tuple[Timings, list[float]]:
        """Runs a test; the latency of a query is that of its last sample."""
        system = _System(self._loadgen, self._infer)
        count = len(self._inputs[0])
        library = self._loadgen.ConstructQSL(count, count, _ignore, _ignore)
        handle = self._loadgen.ConstructSUT(system.issue, _ignore_flush)
        try:
            self._loadgen.StartTestWithLogSettings(handle, library, settings, logs)
        finally:
            system.stop()
            self._loadgen.DestroySUT(handle)
            self._loadgen.DestroyQSL(library)
        return system.timings, system.query_us

    def _infer(self, index: int) -> None:
        self._model.run([array[index : index + 1] for array in self._inputs])


class _System:
    """Takes LoadGen's queries into a queue that one thread serves."""

    def __init__(self, loadgen: Any, infer: Callable[[int], None]) -> None:
        self.timings = Timings()
        self.query_us: list[float] = []
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
            end = issued
            for identifier, index in samples:
                start = time.perf_counter_ns()
                self._infer(index)
                end = time.perf_counter_ns()
                self.timings.queue_us.append((start - issued) / 1000)
                self.timings.compute_us.append((end - start) / 1000)
                response = self._loadgen.QuerySampleResponse(identifier, 0, 0)
                self._loadgen.QuerySamplesComplete([response])
            self.query_us.append((end - issued) / 1000)


def _ignore(indices: Sequence[int]) -> None:
    """Samples are in memory all the time: nothing to load or unload."""


def _ignore_flush() -> None:
    """Queries are never held back."""
