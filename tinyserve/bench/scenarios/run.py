# SPDX-License-Identifier: Apache-2.0
"""The scenarios beyond single-stream: under LoadGen on this computer, simulated for any other device."""

from __future__ import annotations

from importlib.metadata import version
from importlib.util import find_spec
from typing import get_args

import msgspec

from tinyserve.bench.result import BenchResult, Scenario
from tinyserve.bench.scenarios import simulation
from tinyserve.boards.types import Board
from tinyserve.bundle import Bundle
from tinyserve.compiler.compile import Compiled
from tinyserve.errors import ToolError, UsageError

NAMES: tuple[str, ...] = get_args(Scenario)
BOUNDED: tuple[Scenario, ...] = ("server", "multi-stream")


def check_bound(name: Scenario, latency_bound_ms: float | None) -> None:
    """Raises UsageError where a latency bound is missing, or has no meaning."""
    if name in BOUNDED and latency_bound_ms is None:
        raise UsageError(f"--scenario {name} needs a latency bound", "add --latency-bound-ms 20")
    if name not in BOUNDED and latency_bound_ms is not None:
        raise UsageError(
            f"--latency-bound-ms means nothing for --scenario {name}", f"choose {' or '.join(BOUNDED)}"
        )


def check_time(name: Scenario, board: Board, emulator: str | None) -> None:
    """Whether there will be a time to tell of. Raises UsageError for an emulated core without a cycle model,
    ToolError where LoadGen is not installed for this computer.

    ``emulator`` None: a real board, which has a clock.
    """
    if name == "single-stream" or emulator is None:
        return
    if emulator == "host":
        if find_spec("mlperf_loadgen") is None:
            raise ToolError(
                "scenarios on this computer need MLCommons LoadGen", "pip install 'tinyserve[bench]'"
            )
    elif emulator != "unicorn" or not board.core.cycle_model:
        raise _no_time(board.id, board.core.name, emulator)


def _no_time(what: str, core: str, device: str) -> UsageError:
    return UsageError(
        f"{what}: instructions alone give no time, and there is no cycle model of {core} in {device}",
        "choose --scenario single-stream, a board with a cycle model in Unicorn, or a real board",
    )


def add(
    result: BenchResult, name: Scenario, latency_bound_ms: float | None, bundle: Bundle, compiled: Compiled
) -> BenchResult:
    """The single-stream result with another scenario's metric in it.

    Raises UsageError as `check_bound` does, and where the device has no time to simulate with.
    """
    check_bound(name, latency_bound_ms)
    if name == "single-stream":
        return result
    bound_us = None if latency_bound_ms is None else latency_bound_ms * 1000
    if result.setup.device == "host":
        from tinyserve.bench.scenarios import loadgen
        from tinyserve.compiler.host.model import HostModel

        inputs = bundle.samples().inputs
        found = loadgen.run(name, HostModel(compiled), inputs, bound_us, result.setup.seed)
        tools = {**result.setup.tools, "mlcommons-loadgen": version("mlcommons-loadgen")}
        result = msgspec.structs.replace(result, setup=msgspec.structs.replace(result.setup, tools=tools))
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
    raise _no_time(result.title, result.setup.core, result.setup.device)
