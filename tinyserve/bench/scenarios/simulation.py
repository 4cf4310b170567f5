# SPDX-License-Identifier: Apache-2.0
"""The scenarios that one device can't run by itself, as a discrete-event simulation over its latencies.

The device is one server that takes one query at a time, first come, first served. Service times are drawn
from the latencies that were measured (or estimated) in single-stream. Everything is a function of the seed.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

from tinyserve.bench.result import Scenario, ScenarioResult
from tinyserve.bench.scenarios.queries import Served, most_streams, one_after_the_other, result_of
from tinyserve.errors import UsageError

QUERIES = 2000
NOTE = "discrete-event simulation over the device's single-stream latencies: not measured"
METHOD = "simulated"
_RATE_PRECISION = 1e-4


def run(
    name: Scenario, latencies_us: Sequence[float], latency_bound_us: float | None, seed: int
) -> ScenarioResult:
    """A scenario's metric. Server and multi-stream need a latency bound: UsageError without one."""
    if name == "offline":
        return _offline(latencies_us, seed)
    if latency_bound_us is None:
        raise UsageError(f"--scenario {name} needs a latency bound", "add --latency-bound-ms 20")
    if name == "server":
        return _server(latencies_us, latency_bound_us, seed)
    return _multi_stream(latencies_us, latency_bound_us, seed)


def poisson_queue(latencies_us: Sequence[float], per_second: float, queries: int, seed: int) -> Served:
    """Queries that arrive at random, independent times (a Poisson process) at a mean rate."""
    draw = random.Random(seed)
    services = draw.choices(list(latencies_us), k=queries)
    arrival = free_at = 0.0
    waits = []
    for service in services:
        # The same draws at another rate only stretch time, so the tail falls as the rate does.
        arrival += draw.expovariate(1.0) / per_second * 1e6
        start = max(arrival, free_at)
        waits.append(start - arrival)
        free_at = start + service
    return Served(waits, services)


def _server(latencies_us: Sequence[float], bound_us: float, seed: int) -> ScenarioResult:
    def attempt(rate: float) -> Served:
        return poisson_queue(latencies_us, rate, QUERIES, seed)

    fastest = 1e6 / min(latencies_us)
    rate = _largest_rate(lambda rate: attempt(rate).tail_us <= bound_us, fastest)
    return result_of(
        "server", METHOD, rate, attempt(rate or fastest * _RATE_PRECISION), bound_us=bound_us, note=NOTE
    )


def _largest_rate(holds: Callable[[float], bool], fastest: float) -> float:
    """The largest rate that holds, to a precision of 0.01 % of the fastest; 0 where none does."""
    low, high = 0.0, fastest
    if not holds(fastest * _RATE_PRECISION):
        return 0.0
    while high - low > fastest * _RATE_PRECISION:
        middle = (low + high) / 2
        low, high = (middle, high) if holds(middle) else (low, middle)
    return low


def _multi_stream(latencies_us: Sequence[float], bound_us: float, seed: int) -> ScenarioResult:
    """The largest number of streams whose samples, arriving together, are all done within the bound."""

    def attempt(streams: int) -> Served:
        draw = random.Random(seed)
        queries = max(1, QUERIES // streams)
        waits, services = [], []
        for _ in range(queries):
            batch = draw.choices(list(latencies_us), k=streams)
            waits.append(sum(batch[:-1]))  # the last sample waits for the others
            services.append(batch[-1])
        return Served(waits, services)

    streams = most_streams(lambda streams: attempt(streams).tail_us <= bound_us)
    return result_of("multi-stream", METHOD, streams, attempt(max(streams, 1)), bound_us=bound_us, note=NOTE)


def _offline(latencies_us: Sequence[float], seed: int) -> ScenarioResult:
    """All samples are there from the beginning: one after the other, without a pause."""
    served = one_after_the_other(random.Random(seed).choices(list(latencies_us), k=QUERIES))
    return result_of("offline", METHOD, served.throughput(), served, bound_us=None, note=NOTE)
