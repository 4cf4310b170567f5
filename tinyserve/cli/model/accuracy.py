# SPDX-License-Identifier: Apache-2.0
"""tinyserve accuracy"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from tinyserve.cli import options
from tinyserve.cli.completion import BOARD, SOURCE
from tinyserve.cli.options import PATH, SOURCE_HELP, Converting

if TYPE_CHECKING:
    from tinyserve.quality.gates import Gates
    from tinyserve.quality.tasks import Wanted


@click.command(name="accuracy", epilog=SOURCE_HELP)
@click.argument("source", type=SOURCE)
@click.option(
    "--dataset",
    type=PATH,
    required=True,
    metavar="DATA",
    help="Labelled samples; data sets of any size are read in pieces.",
)
@click.option(
    "--predictions",
    type=PATH,
    metavar="DIR",
    help="Write predictions as Parquet to DIR; an interrupted run resumes there.",
)
@click.option("--jobs", type=click.IntRange(min=1), help="Threads.  [default: one per core]")
@click.option("--scheduler", default="", metavar="ADDRESS", help="A Dask cluster: tcp://HOST:PORT.")
@click.option("--board", type=BOARD, help="Also run the data set on this board's twin.")
@click.option("--port", metavar="PORT", help="Run on the board itself, at this serial port.")
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    default=1000,
    show_default=True,
    help="Use at most N samples on the board and for the references.",
)
@click.option(
    "--compare/--no-compare",
    default=True,
    show_default=True,
    help="Also run the float original and TFLM's interpreter.",
)
@options.task
@options.gates
@options.conversion
def command(
    *,
    source: Path,
    dataset: Path,
    predictions: Path | None,
    jobs: int | None,
    scheduler: str,
    board: str | None,
    port: str | None,
    limit: int,
    output: str,
    wanted: Wanted,
    wanted_quality: Gates,
    compare: bool,
    converting: Converting,
) -> None:
    """Measure the task's metrics: float, quantized, compiled, and with --board on the device.

    Classification has accuracy and top-k, regression R², RMSE and MAE, segmentation the mean IoU,
    reconstruction the error and with labels of anomalies the AUC.

    The float original runs in LiteRT, the quantized model in TFLM's interpreter, both on --limit samples. The
    compiled model runs over all of them on this machine, on all cores, with the bytes that the device gives.
    """
    from tinyserve import workflow
    from tinyserve.bench.accuracy import run as accuracy
    from tinyserve.bench.accuracy.references import against_original, disagreement, references
    from tinyserve.bench.matrix.cell import Cell
    from tinyserve.bench.matrix.execute import run as run_cell
    from tinyserve.cli.console import stdout
    from tinyserve.cli.progress import progress
    from tinyserve.errors import BudgetError
    from tinyserve.report.text.accuracy import accuracy_view

    settings, operators = converting.settings(), converting.operators
    with progress() as report:
        made = workflow.to_bundle(source, converting.conversion(), report)
        summary = accuracy.run(
            made,
            dataset,
            predictions=predictions,
            jobs=jobs,
            scheduler=scheduler,
            reading=settings.reading,
            progress=report,
            output=output,
            wanted=wanted,
            operators=operators,
        )
        beside = None
        if compare:
            beside = references(
                made,
                dataset,
                summary.task,
                limit,
                reading=settings.reading,
                progress=report,
                output=output,
                operators=operators,
            )
        result = None
        if board is not None:
            build = workflow.Build(emulate=port is None, operators=operators)
            cell = Cell(
                made.path, board, build=build, runs=1, port=port, dataset=dataset, limit=limit,
                output=output, wanted=wanted,
            )  # fmt: skip
            result = run_cell(cell, report)
    quality = against_original(made, summary, beside.original if beside else None)
    stdout().print(accuracy_view(made, summary, beside, result, quality))
    wrong = disagreement(made, summary, beside) if beside else ""
    if wrong:
        raise BudgetError(wrong, "report it with the bundle; until then bench and build take --engine tflm")
    broken = wanted_quality.broken(quality)
    if broken:
        raise BudgetError("; ".join(broken))
