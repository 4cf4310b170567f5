"""The scenarios beyond single-stream: under LoadGen on this computer, simulated for any other device."""

from __future__ import annotations

from typing import get_args

import msgspec

from tinyserve.bench import simulation
from tinyserve.bench.result import BenchResult, Scenario
from tinyserve.bundle import Bundle
from tinyserve.codegen.compile import Compiled
from tinyserve.errors import UsageError

NAMES: tuple[str, ...] = get_args(Scenario)


def add(
    result: BenchResult, name: Scenario, latency_bound_ms: float | None, bundle: Bundle, compiled: Compiled
) -> BenchResult:
    """The single-stream result with another scenario's metric in it.

    Raises UsageError where a latency bound is missing or the device has no time to simulate with.
    """
    if name == "single-stream":
        return result
    bound_us = None if latency_bound_ms is None else latency_bound_ms * 1000
    if result.setup.device == "host":
        from tinyserve.bench import loadgen
        from tinyserve.codegen.host import HostModel

        inputs = bundle.samples().inputs
        found = loadgen.run(name, HostModel(compiled), inputs, bound_us, result.setup.seed)
    else:
        latencies, origin = _latencies_us(result)
        found = simulation.run(name, latencies, bound_us, result.setup.seed)
        found = msgspec.structs.replace(found, note=f"{found.note}; latencies: {origin}")
    return msgspec.structs.replace(result, scenario=found)


def _latencies_us(result: BenchResult) -> tuple[list[float], str]:
    """Latencies in us, and what they are: measured by the board's clock, or an estimate's upper end."""
    unit, clock = result.latency.unit, result.setup.clock_hz
    if unit in ("us", "ns"):
        return [value * {"us": 1.0, "ns": 1e-3}[unit] for value in result.latencies], "measured"
    if unit == "cycles" and clock:
        return [value * 1e6 / clock for value in result.latencies], "measured cycles at the board's clock"
    if result.latency_ms is not None:
        return [result.latency_ms.high * 1000], f"the upper end of an estimate ({result.latency_ms.model})"
    raise UsageError(
        f"{result.title}: instructions alone give no time, and {result.setup.core} has no cycle model",
        "choose --scenario single-stream, a board with a cycle model in Unicorn, or a real board",
    )
