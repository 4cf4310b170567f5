# SPDX-License-Identifier: Apache-2.0
"""tinyserve bench"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from tinyserve.cli import options
from tinyserve.cli.completion import BOARD, SOURCE
from tinyserve.cli.options import PATH, SOURCE_HELP, Converting

if TYPE_CHECKING:
    from tinyserve.bench.matrix.cell import Cell
    from tinyserve.bench.result import BenchReport, Scenario
    from tinyserve.compiler.program import Feed, Optimize
    from tinyserve.firmware.toolchain import Name as ToolchainName
    from tinyserve.quality.gates import Gates
    from tinyserve.quality.tasks import Wanted


@click.command(name="bench", epilog=SOURCE_HELP)
@click.argument("sources", type=SOURCE, nargs=-1, required=True, metavar="SOURCE...")
@click.option(
    "--board", "boards", multiple=True, type=BOARD,
    help="A board; repeatable.  [default: what the firmware at --port says]",
)  # fmt: skip
@options.device
@click.option(
    "--runs", type=click.IntRange(min=1), default=10, show_default=True, help="Number of timed inferences."
)
@click.option(
    "--warmup",
    type=click.IntRange(min=0),
    default=1,
    show_default=True,
    help="Number of untimed inferences before them.",
)
@click.option(
    "--dataset",
    type=PATH,
    metavar="DATA",
    help="Samples 'x' and labels 'y': the task's metrics on the device.",
)
@click.option(
    "--limit", type=click.IntRange(min=1), metavar="N", help="Use the first N samples of the data set."
)
@click.option(
    "--scenario",
    type=click.Choice(["single-stream", "multi-stream", "server", "offline"]),
    default="single-stream",
    show_default=True,
    help="The MLPerf scenario.",
)
@click.option(
    "--latency-bound-ms",
    type=click.FloatRange(min=0, min_open=True),
    metavar="MS",
    help="Latency bound of the server and multi-stream scenarios.",
)
@click.option(
    "--energy", "meter", metavar="METER", help="Measure energy: ppk2, joulescope, lpm01a:PORT, serial:PORT."
)
@click.option(
    "--supply-v",
    type=click.FloatRange(min=0, min_open=True),
    metavar="V",
    help="Supply voltage.  [default: 3.3]",
)
@options.task
@options.gates
@options.optimizes
@options.feed
@options.engines
@options.choices
@options.toolchain
@options.conversion
@options.reports
@click.option(
    "--jobs", type=click.IntRange(min=1), help="Number of cells that run at a time.  [default: one per CPU]"
)
@click.option("--scheduler", metavar="ADDRESS", help="Run the cells on a Dask cluster: tcp://HOST:PORT.")
@click.option("--fresh", is_flag=True, help="Ignore cached results: measure every cell again.")
def command(
    *,
    sources: tuple[Path, ...],
    boards: tuple[str, ...],
    emulate: bool,
    emulator: str | None,
    port: str | None,
    runs: int,
    warmup: int,
    dataset: Path | None,
    limit: int | None,
    output: str,
    wanted: Wanted,
    wanted_quality: Gates,
    meter: str | None,
    supply_v: float | None,
    scenario: Scenario,
    latency_bound_ms: float | None,
    optimize: tuple[Optimize, ...],
    feed: Feed,
    variants: tuple[str, ...],
    tuned: Path | None,
    engines: tuple[str, ...],
    tflm: str,
    toolchain: ToolchainName,
    converting: Converting,
    jobs: int | None,
    scheduler: str | None,
    fresh: bool,
    **reports: object,
) -> int:
    """Measure latency, memory and accuracy on a board or its twin; several sources, boards, preferences or
    engines are a matrix.

    Outputs are compared with what the bundle expects: integers byte for byte, float32 within 1e-4 of the
    largest value. Instructions from an emulator are exact; milliseconds that come from a cycle model are
    called estimates.
    """
    from tinyserve import workflow
    from tinyserve.bench.matrix import preflight
    from tinyserve.bench.matrix.cell import Cell
    from tinyserve.bench.matrix.sources import conversions
    from tinyserve.cli.measure.outcome import Outputs, conclude

    outputs = Outputs.of(**reports)
    outputs.check()
    # One bundle for all engines: the interpreter's lets operators pass that the compiler lacks.
    widest = "tflm" if "tflm" in engines else "aot"
    sources = tuple(dict.fromkeys(sources))
    prepared = conversions(sources, converting.conversion(widest))
    boards = boards or (_board_at(port),)
    cells = [
        Cell(
            source=source,
            board=board,
            conversion=prepared[source],
            build=workflow.Build(
                optimize=preference,
                engine=engine,
                toolchain=toolchain,
                emulate=emulate,
                operators=converting.operators,
                tflm=tflm,
                feed=feed,
            ),
            runs=runs,
            warmup=warmup,
            emulator=emulator,
            port=port,
            scenario=scenario,
            latency_bound_ms=latency_bound_ms,
            dataset=dataset,
            limit=limit,
            output=output,
            wanted=wanted,
            meter=meter,
            supply_v=supply_v,
        )
        for source in sources
        for board in boards
        for preference in optimize
        for engine in dict.fromkeys(engines)
    ]
    preflight.check_options(cells)
    report = _run(_with_choices(cells, variants, tuned), jobs, fresh, scheduler)
    return conclude(report, outputs, wanted_quality)


def _board_at(port: str | None) -> str:
    from tinyserve.bench.at_port import board_at
    from tinyserve.errors import UsageError

    if port is None:
        raise UsageError("no board is named", "add --board NAME; `tinyserve boards` lists them")
    return board_at(port)


def _with_choices(cells: list[Cell], variants: tuple[str, ...], tuned: Path | None) -> list[Cell]:
    """The cells with the choices of kernels. A tuning is checked against the model, so that sources become
    bundles.

    Raises UsageError for several sources: layers are those of one model.
    """
    from dataclasses import replace

    from tinyserve import workflow
    from tinyserve.cli.progress import progress
    from tinyserve.errors import UsageError

    if not variants and tuned is None:
        return cells
    if len({cell.source for cell in cells}) > 1:
        raise UsageError(
            "--variant and --tuned name the layers of one model, and there are several",
            "bench one source at a time with them",
        )
    with progress() as say:
        made = workflow.to_bundle(cells[0].source, cells[0].conversion, say)
    choices = options.chosen_variants(variants, tuned, made.model_bytes())
    return [replace(cell, source=made.path, build=replace(cell.build, choices=choices)) for cell in cells]


def _run(cells: list[Cell], jobs: int | None, fresh: bool, scheduler: str | None) -> BenchReport:
    """One cell in this process; several in processes of their own, or on a cluster."""
    from contextlib import ExitStack
    from dataclasses import replace

    from tinyserve import boards
    from tinyserve.bench.matrix import execute
    from tinyserve.bench.matrix import run as matrix
    from tinyserve.bench.result import BenchReport
    from tinyserve.cli.progress import progress

    with progress() as say, ExitStack() as stack:
        if len(cells) == 1 and scheduler is None:
            return BenchReport(results=[execute.run(cells[0], say)])
        for name in dict.fromkeys(one.board for one in cells):
            boards.load(name)
        client = None
        if scheduler is not None:
            from tinyserve.bench.matrix import cluster
            from tinyserve.cluster.scheduler import connected

            client = stack.enter_context(connected(scheduler))
        ready, failures = matrix.converted([replace(one, use_cache=not fresh) for one in cells], say)
        workers = min(len(ready), jobs or matrix.default_jobs())
        where = f"on {scheduler}" if scheduler else f"in {_count(workers, 'process', 'processes')}"
        say(f"{_count(len(ready), 'cell', 'cells')} {where}", 0, len(ready))
        report = matrix.run(ready, workers, say) if client is None else cluster.run(ready, client, say)
        return BenchReport(results=report.results, failures=[*failures, *report.failures])


def _count(number: int, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}"
