# SPDX-License-Identifier: Apache-2.0
"""What scenarios have in common, whoever generates the load: timings of queries, metrics, and the search for
the most streams that keep a latency bound."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from tinyserve.bench.result import Scenario, ScenarioResult
from tinyserve.bench.scenarios.statistics import percentile, summarize

PERCENTILE = 99
NO_LOAD = "no load that was tried keeps the bound"
_MOST_STREAMS = 1 << 16
_METRICS: dict[Scenario, tuple[str, str]] = {
    "single-stream": ("p90 latency", "us"),
    "multi-stream": (f"streams within the bound (p{PERCENTILE})", "streams"),
    "server": (f"queries per second within the bound (p{PERCENTILE})", "queries/s"),
    "offline": ("throughput", "samples/s"),
}


@dataclass(frozen=True)
class Served:
    """Waiting and computing time of each query, in us, in order of completion. A query of several samples has
    waited until its last one was begun."""

    queue_us: list[float] = field(default_factory=list)
    compute_us: list[float] = field(default_factory=list)

    @property
    def latency_us(self) -> list[float]:
        return [queue + compute for queue, compute in zip(self.queue_us, self.compute_us, strict=True)]

    @property
    def tail_us(self) -> float:
        """The 99th percentile of latency."""
        return percentile(sorted(self.latency_us), PERCENTILE)

    def throughput(self) -> float:
        """Queries per second where all came at once: the last one's latency is the whole time."""
        latencies = self.latency_us
        return len(latencies) / max(latencies) * 1e6


def one_after_the_other(services_us: Sequence[float]) -> Served:
    """Queries that all come at once and wait for each other."""
    waits, clock = [], 0.0
    for service in services_us:
        waits.append(clock)
        clock += service
    return Served(waits, list(services_us))


def most_streams(keeps: Callable[[int], bool], limit: int = _MOST_STREAMS, precision: float = 0.0) -> int:
    """The largest number of streams that keeps the bound, within a part ``precision``; 0 where none does."""
    low, high = 0, 1
    while high < limit and keeps(high):
        low, high = high, high * 2
    while high - low > max(1, round(low * precision)):
        middle = (low + high) // 2
        low, high = (middle, high) if keeps(middle) else (low, middle)
    return low


def result_of(
    name: Scenario,
    method: str,
    value: float,
    served: Served,
    *,
    bound_us: float | None,
    note: str,
    valid: bool = True,
) -> ScenarioResult:
    """A scenario's result. A value of 0 under a bound is no valid one, and the note says so."""
    metric, unit = _METRICS[name]
    if bound_us is not None and not value:
        valid, note = False, f"{note}; {NO_LOAD}"
    return ScenarioResult(
        name=name,
        method=method,
        metric=metric,
        value=value,
        unit=unit,
        queries=len(served.compute_us),
        latency_bound_us=bound_us,
        latency=summarize(served.latency_us, "us"),
        queue=summarize(served.queue_us, "us"),
        compute=summarize(served.compute_us, "us"),
        valid=valid,
        note=note,
    )
