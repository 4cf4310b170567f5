# SPDX-License-Identifier: Apache-2.0
"""How figures are written, the same in every report."""

from __future__ import annotations

from tinyserve.bench.result import BenchResult, Check, Estimate
from tinyserve.bench.scenarios.statistics import Statistics
from tinyserve.boards.types import Region
from tinyserve.quality.limits import spelled
from tinyserve.words import counted

_UNITS = {"instructions": "instructions", "cycles": "cycles", "us": "µs", "ns": "ns", "uJ": "µJ", "ms": "ms"}


def unit(name: str) -> str:
    """The unit as people write it."""
    return _UNITS.get(name, name)


def number(value: float, digits: int = 3) -> str:
    """A figure with thousands separators; whole numbers and those from 1000 on without decimals."""
    if value == int(value) or abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:,.{digits}g}"


def memory_size(region: Region | None) -> str:
    """In whole KiB, rounded down: never more than there is."""
    return f"{region.bytes // 1024:,} KiB" if region else "—"


def size(count: int) -> str:
    """Bytes, exact, and in KiB from 10,000 on."""
    return f"{count:,} B" if count < 10_000 else f"{count:,} B ({count / 1024:,.1f} KiB)"


def percent(part: float, whole: float) -> str:
    return f"{100 * part / whole:.1f} %" if whole else "—"


def spread(low: float, high: float) -> str:
    """A range; one figure where both ends read the same."""
    ends = number(low), number(high)
    return ends[0] if ends[0] == ends[1] else "–".join(ends)


def estimate(value: Estimate) -> str:
    return f"{spread(value.low, value.high)} {unit(value.unit)}"


def clock(hertz: int) -> str:
    return f"{round(hertz / 1e6, 2):g} MHz"


def core(result: BenchResult) -> str:
    """The core and its clock; a computer's clock is not known."""
    setup = result.setup
    return setup.core if setup.device == "host" else f"{setup.core} at {clock(setup.clock_hz)}"


def how(result: BenchResult) -> str:
    """Where the figures come from, in a few words: the emulator, or the board itself."""
    setup = result.setup
    if setup.device == "serial" and setup.emulated:
        return "on a twin at a serial port"
    if setup.emulated:
        return f"emulated by {setup.device}"
    is_board = setup.device == "serial" and setup.core != "host"
    return "on the board itself" if is_board else "on this computer"


def headline(result: BenchResult) -> str:
    """The p90 latency: a count as it is, a time in the unit that suits its size; cycles with their time."""
    shown = quantity(result.latency.p90, result.latency.unit)
    microseconds = time_us(result, result.latency.p90)
    return shown if microseconds is None else f"{shown} ({quantity(microseconds, 'us')})"


def time_us(result: BenchResult, ticks: float) -> float | None:
    """Microseconds of a board's cycles at the clock that it runs at; None for what is no cycles."""
    hertz = result.setup.clock_hz
    return ticks * 1e6 / hertz if result.latency.unit == "cycles" and hertz else None


def quantity(value: float, name: str) -> str:
    """A figure with its unit; nanoseconds and microseconds become larger units where they are many."""
    times = {"ns": 1e-9, "us": 1e-6, "ms": 1e-3}
    if name not in times:
        return f"{number(value)} {unit(name)}"
    seconds = value * times[name]
    size, written = next(
        ((size, written) for size, written in _TIME_UNITS if seconds >= size), _TIME_UNITS[-1]
    )
    return f"{seconds / size:.4g} {written}"


_TIME_UNITS = ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs"), (1e-9, "ns"))


def scenario(result: BenchResult) -> str:
    """'server: 349 queries/s (loadgen)'; nothing for single-stream, whose metric is the latency itself."""
    found = result.scenario
    if found is None or found.name == "single-stream":
        return ""
    doubt = "" if found.valid else ", not valid"
    return f"{found.name}: {number(found.value)} {unit(found.unit)} ({found.method}{doubt})"


def outputs(check: Check) -> str:
    """How the outputs compare with the expected ones, and where they first differ."""
    if not check.passed:
        return (
            f"{check.samples - check.equal} of "
            f"{counted(check.samples, 'sample differs', 'samples differ')}: {check.first_difference}"
        )
    how_well = (
        f"within {check.float_tolerance:g} of the largest value"
        if check.float_tolerance
        else "equal byte for byte"
    )
    return f"{check.samples} of {counted(check.samples, 'sample')} {how_well}"


def accuracy(result: BenchResult) -> str:
    """The task's main metric on the device: '97.3 %', 'R² 0.912'; nothing where no data set was run."""
    found = result.accuracy
    if found is None:
        return ""
    main = next(iter(found.scores.converted), None) if found.scores else None
    if main is None or main.metric == "accuracy":
        return percent(found.correct, found.samples)
    return f"{main.metric} {spelled(main)}"


def runs(statistics: Statistics) -> str:
    """'10 runs, 1 warm-up'."""
    plural = "" if statistics.runs == 1 else "s"
    return f"{statistics.runs} run{plural}, {statistics.warmup} warm-up"
