# SPDX-License-Identifier: Apache-2.0
"""A bench result for a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import Console, Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from tinyserve.bench.result import BenchReport, BenchResult, EventCount, Events, Memory, Setup
from tinyserve.bench.scenarios.statistics import Statistics
from tinyserve.report import figures, quality
from tinyserve.report.paths import pipeline_view
from tinyserve.words import counted

_BAR_CELLS = 12


def show(report: BenchReport, console: Console) -> None:
    """Prints one result in full, or a matrix as a table with one row per cell."""
    if len(report.results) == 1 and not report.failures:
        console.print(result_panel(report.results[0]))
    else:
        console.print(matrix_table(report))
        beside = engine_table(report)
        if beside is not None:
            console.print(Text())
            console.print(beside)
    for failure in report.failures:
        console.print(
            Text.assemble((f"{failure.model} on {failure.board} failed:", "red"), f" {failure.error}")
        )


def result_panel(result: BenchResult) -> RenderableType:
    """Everything that one result says, in a frame."""
    parts: list[RenderableType] = [Text(_subtitle(result), style="dim"), Text(), _latency_table(result)]
    if result.scenario is not None and result.scenario.name != "single-stream":
        parts += [Text(), _scenario_table(result)]
    estimates = _estimates(result)
    if estimates.row_count:
        parts += [Text(), estimates]
    if result.pipeline is not None:
        parts += [Text(), pipeline_view(result.pipeline)]
    parts += [Text(), memory_table(result.memory), Text(), _verdicts(result)]
    return Panel(Group(*parts), title=Text(result.title, style="bold"), title_align="left", expand=False)


def _subtitle(result: BenchResult) -> str:
    setup = result.setup
    how = f"{setup.optimize}{', fed by rows' if setup.feed == 'rows' else ''}"
    return (
        f"{setup.board_name}, {figures.core(result)}, {figures.how(result)}; "
        f"engine {setup.engine}{_library(setup)}, optimized for {how}; {result.model.macs:,} MACs"
    )


def _library(setup: Setup) -> str:
    """Whose kernels an interpreter had: reference kernels are several times slower than CMSIS-NN's."""
    said = setup.tools.get("tflm", "")
    return f" ({said})" if said else ""


def _latency_table(result: BenchResult) -> Table:
    latency = result.latency
    table = _statistics_table(figures.runs(latency))
    _statistics_row(table, figures.unit(latency.unit), latency)
    times = [figures.time_us(result, value) for value in _figures(latency)]
    if latency.unit == "cycles" and result.setup.clock_hz:
        spelled = (figures.quantity(time, "us") for time in times if time is not None)
        table.add_row(f"at {figures.clock(result.setup.clock_hz)}", *spelled)
    if result.model.macs:
        per_mac = [value / result.model.macs for value in _figures(latency)]
        table.add_row("per MAC", *(f"{value:.3f}" for value in per_mac), style="dim")
    return table


def _statistics_table(title: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column(title)
    for column in ("min", "median", "p90", "p99", "max"):
        table.add_column(column, justify="right", style="bold" if column == "p90" else "")
    return table


def _statistics_row(table: Table, name: str, statistics: Statistics) -> None:
    table.add_row(name, *(figures.number(value) for value in _figures(statistics)))


def _figures(statistics: Statistics) -> tuple[float, ...]:
    return (
        statistics.minimum, statistics.median, statistics.p90, statistics.p99, statistics.maximum,
    )  # fmt: skip


def _scenario_table(result: BenchResult) -> RenderableType:
    scenario = result.scenario
    assert scenario is not None
    table = _statistics_table(f"{scenario.name} ({scenario.method}, {scenario.queries:,} queries)")
    named = (
        ("latency, µs", scenario.latency),
        ("queue, µs", scenario.queue),
        ("compute, µs", scenario.compute),
    )
    for name, statistics in named:
        if statistics is not None:
            _statistics_row(table, name, statistics)
    headline = Text(
        f"{scenario.metric}: {figures.number(scenario.value)} {figures.unit(scenario.unit)}", style="bold"
    )
    return Group(table, headline, Text(scenario.note, style="dim"))


def _estimates(result: BenchResult) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("estimates (not measured)")
    table.add_column("range", justify="right")
    table.add_column("model")
    for name, value in (("latency", result.latency_ms), ("energy per inference", result.energy_uj)):
        if value is not None:
            table.add_row(name, figures.estimate(value), Text(value.model, style="dim"))
    return table


def memory_table(memory: Memory) -> Table:
    """Flash, RAM, arena and stack against the board's."""
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("memory")
    table.add_column("bytes", justify="right")
    table.add_column("of the board's", justify="right", no_wrap=True)
    table.add_column("")
    for name, used, limit in (
        ("flash", memory.flash_bytes, memory.flash_limit_bytes),
        ("RAM", memory.ram_bytes, memory.ram_limit_bytes),
    ):
        table.add_row(
            name, f"{used:,}" if used else "unknown", f"{limit:,}" if limit else "—", _bar(used, limit)
        )
    table.add_row("  arena", f"{memory.arena_bytes:,}", "", "")
    for part in memory.elsewhere_parts:
        table.add_row(f"  of it in {part.name}", f"{part.bytes:,}", "", "")
    if memory.stack_used_bytes is not None:
        reserved = f"{memory.stack_size_bytes:,} reserved" if memory.stack_size_bytes else ""
        table.add_row("  stack used", f"{memory.stack_used_bytes:,}", reserved, "")
    if memory.invoke_stack_bytes is not None:
        known, least = ("bound", "") if memory.invoke_stack_is_bound else ("incomplete", "at least ")
        table.add_row(f"  stack of an invoke ({known})", f"{least}{memory.invoke_stack_bytes:,}", "", "")
    return table


def _bar(used: int, limit: int | None) -> Text:
    if not limit:
        return Text()
    cells = min(_BAR_CELLS, -(-used * _BAR_CELLS // limit))
    style = "red" if used > 0.9 * limit else "green"
    bar = Text("█" * cells, style=style) + Text("░" * (_BAR_CELLS - cells), style="dim")
    return bar + Text(f" {figures.percent(used, limit)}")


def _verdicts(result: BenchResult) -> RenderableType:
    """Outputs, accuracy, energy and notes: a line each."""
    lines: list[Text] = []
    check = result.check
    if check is not None and check.passed:
        lines.append(
            Text(f"✓ outputs: {figures.outputs(check)}", style="green")
            + Text(f" (expected from {check.expected_from})", style="dim")
        )
    elif check is not None:
        lines.append(Text(f"✗ outputs: {figures.outputs(check)}", style="bold red"))
    lines.append(quality.line(result.quality))
    if result.accuracy is not None:
        lines.append(Text(f"  on the device: {_accuracy(result)}", style="bold"))
    if result.energy is not None:
        energy = result.energy
        lines.append(
            Text(f"  energy: {figures.number(energy.per_inference_uj)} µJ per inference ", style="bold")
            + Text(f"(idle of {figures.number(energy.idle_mw)} mW subtracted; {energy.meter})")
        )
    if result.events is not None:
        lines.append(Text(f"  {_events(result.events)}"))
    lines += [Text(f"  note: {note}", style="dim") for note in result.notes]
    return Group(*lines)


def _events(events: Events) -> str:
    """What happened on the device: "events in 60 inferences: yes 3 times, large 2 times"."""
    named = [f"{_event(count)} {count.count:,} ×" for count in events.counts]
    return f"events in {counted(events.inferences, 'inference')}: {', '.join(named) or 'none'}"


def _event(count: EventCount) -> str:
    """The class's name; of a request, whose class is 0, the event's."""
    return count.label or (f"{count.name} (class {count.class_number})" if count.class_number else count.name)


def _accuracy(result: BenchResult) -> str:
    accuracy = result.accuracy
    assert accuracy is not None
    if accuracy.scores is None:  # of an earlier version
        return f"accuracy {figures.percent(accuracy.correct, accuracy.samples)}, {accuracy.dataset}"
    return f"{quality.scores(accuracy.scores)}, {accuracy.dataset}; {accuracy.scores.task}"


def matrix_table(report: BenchReport) -> Table:
    """One row per cell. Instructions and time have columns of their own."""
    table = Table(header_style="dim", box=None, pad_edge=False, caption="instructions and time are p90")
    for column in ("model", "board", "device"):
        table.add_column(column, no_wrap=True)
    for column in ("instructions", "time", "estimated ms", "flash", "RAM", "arena"):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("outputs")
    table.add_column("quality")
    scenarios = any(figures.scenario(result) for result in report.results)
    if scenarios:
        table.add_column("scenario")
    for result in report.results:
        latency, memory = result.latency, result.memory
        counted = latency.unit == "instructions"
        table.add_row(
            result.model.name, result.place, result.setup.device,
            figures.number(latency.p90) if counted else "",
            "" if counted else figures.headline(result),
            figures.spread(result.latency_ms.low, result.latency_ms.high) if result.latency_ms else "",
            f"{memory.flash_bytes:,}", f"{memory.ram_bytes:,}", f"{memory.arena_bytes:,}", _equal(result),
            quality.word(result.quality),
            *([figures.scenario(result)] if scenarios else []),
        )  # fmt: skip
    for failure in report.failures:
        table.add_row(failure.model, failure.board, Text("failed", style="red"))
    return table


def engine_table(report: BenchReport) -> Table | None:
    """The engines side by side, for each model and board that several of them ran; None where none did."""
    cells: dict[tuple[str, str, str], dict[str, BenchResult]] = {}
    for result in report.results:
        key = (result.model.name, result.setup.board, result.setup.optimize)
        cells.setdefault(key, {})[result.setup.engine] = result
    pairs = {key: found for key, found in cells.items() if len(found) > 1}
    if not pairs:
        return None
    engines = list(dict.fromkeys(engine for found in pairs.values() for engine in found))
    table = Table(header_style="dim", box=None, pad_edge=False, caption=_libraries(report))
    for column in ("model", "board", ""):
        table.add_column(column, no_wrap=True)
    for engine in engines:
        table.add_column(engine, justify="right", no_wrap=True)
    table.add_column(f"{engines[1]} ÷ {engines[0]}", justify="right", no_wrap=True)
    for (model, board, _), found in pairs.items():
        for index, (name, values) in enumerate(_beside([found[engine] for engine in engines])):
            ratio = f"{values[1] / values[0]:.2f}" if values[0] and values[1] else ""
            shown = [figures.number(value) if value is not None else "" for value in values]
            table.add_row(*((model, board) if index == 0 else ("", "")), name, *shown, ratio)
    return table


def _beside(results: Sequence[BenchResult]) -> Iterator[tuple[str, list[float | None]]]:
    """The figures of one cell by each engine."""
    unit = results[0].latency.unit
    yield f"{figures.unit(unit)}, p90", [result.latency.p90 for result in results]
    for name in ("flash", "ram", "arena"):
        title = "RAM" if name == "ram" else name
        yield f"{title}, bytes", [float(getattr(result.memory, f"{name}_bytes")) for result in results]
    used = [result.memory.stack_used_bytes for result in results]
    if any(value is not None for value in used):
        yield "stack used, bytes", [None if value is None else float(value) for value in used]


def _libraries(report: BenchReport) -> str:
    """What interpreters the figures are of."""
    said = dict.fromkeys(result.setup.tools.get("tflm", "") for result in report.results)
    return "; ".join(f"tflm: {one}" for one in said if one)


def _equal(result: BenchResult) -> Text:
    if result.check is None:
        return Text()
    good = result.check.passed
    return Text("equal", style="green") if good else Text("differ", style="red")
