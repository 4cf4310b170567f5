# SPDX-License-Identifier: Apache-2.0
"""tinyserve inspect"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tinyserve.cli import options
from tinyserve.cli.completion import BOARD, SOURCE
from tinyserve.cli.console import echo
from tinyserve.cli.options import PATH, SOURCE_HELP, Converting

if TYPE_CHECKING:
    from tinyserve.boards.types import Board
    from tinyserve.compiler.program import Feed, Optimize
    from tinyserve.convert.settings import Options
    from tinyserve.pipeline.make import Description
    from tinyserve.progress import Progress
    from tinyserve.report.text.inspection import Needs
    from tinyserve.workflow import Conversion, Sizing

DEFAULT_BOARD = "cortex-m4"
"""Whose firmware's sizes are shown where no board is named."""


@click.command(name="inspect", epilog=SOURCE_HELP)
@click.argument("source", type=SOURCE)
@click.option(
    "--board",
    "--target",
    type=BOARD,
    help="Compile for this board's core.  [default: portable C]",
)
@click.option(
    "--stage",
    type=click.Choice(["graph", "program", "memory", "c"]),
    help="Print one stage of the compiler in full.",
)
@click.option(
    "--fits",
    is_flag=True,
    help="Estimate which boards the model would fit as int8, int16x8 and float32; needs no data.",
)
@click.option(
    "--steps",
    is_flag=True,
    help="Count what ts_NAME_step(n) takes at most on --board, layer by layer in an emulator.",
)
@click.option(
    "--picture",
    type=PATH,
    metavar="FILE",
    help="Draw the arena over time, of a pipeline its nodes (.png, .svg or .pdf).",
)
@options.optimize
@options.feed
@options.conversion
def command(
    *,
    source: Path,
    board: str | None,
    stage: str | None,
    fits: bool,
    steps: bool,
    picture: Path | None,
    optimize: Optimize,
    feed: Feed,
    converting: Converting,
) -> None:
    """Show layers, shapes, MACs, what each pass did, the arena, flash, and the boards it fits.

    With --fits before any conversion: the model's sizes in each scheme, and what it takes of each board.
    """
    from tinyserve import boards, workflow
    from tinyserve.cli.console import stdout
    from tinyserve.cli.progress import progress
    from tinyserve.compiler.compile import compile_model
    from tinyserve.errors import UsageError
    from tinyserve.report.text import inspection

    chosen = boards.load(board) if board else None
    conversion = converting.conversion()
    if fits:
        if feed != "whole":
            raise UsageError("--fits estimates models with whole inputs", "leave --feed rows out")
        _forecast(source, [chosen] if chosen else boards.all_boards(), optimize, converting.settings())
        return
    if steps:
        _steps(source, chosen, optimize, feed, conversion)
        return
    with progress() as report:
        data, name = workflow.model_bytes(source, conversion, report)
        nodes = _nodes(source, conversion, report)
        report("compiling")
        sizing = workflow.Sizing(
            name, lambda target: compile_model(data, target), optimize, converting.operators, feed
        )
        compiled = sizing.compiled(chosen)
        needs = None if stage or picture else _needs(sizing, chosen, report)
    if picture is not None:
        if nodes is not None:
            from tinyserve.report.html import pipeline_picture

            pipeline_picture.draw(nodes, picture, f"{name}: {compiled.plan.arena_bytes:,} bytes of arena")
        else:
            inspection.draw_arena(compiled, picture, name)
        echo(f"wrote {picture}", err=True)
    if stage is not None:
        from tinyserve.compiler.dump import dump

        echo(dump(compiled, stage))
    elif needs is not None:
        stdout().print(inspection.summary(compiled, name, needs))
        if nodes is not None:
            stdout().print(inspection.nodes_table(nodes))


def _nodes(source: Path, conversion: Conversion, report: Progress) -> Description | None:
    """The nodes of a pipeline; None for another model."""
    from tinyserve import workflow
    from tinyserve.pipeline.make import described

    known = workflow.is_pipeline(source) or workflow.is_bundle(source)
    return described(workflow.to_bundle(source, conversion, report)) if known else None


def _needs(sizing: Sizing, chosen: Board | None, report: Progress) -> Needs:
    """Of the chosen board as the linker has it, and of the others as far as their verdicts need it."""
    from tinyserve import boards
    from tinyserve.report.text.inspection import Needs

    board = chosen or boards.load(DEFAULT_BOARD)
    report(f"build for {board.id}")
    everywhere = boards.all_boards()
    shown, needs = sizing.linked(board), sizing.on(everywhere, report)
    return Needs(board, shown, [(one, needs[one.id]) for one in everywhere])


def _forecast(source: Path, chosen: Sequence[Board], optimize: Optimize, conversion: Options) -> None:
    from tinyserve.cli.console import stdout
    from tinyserve.cli.progress import progress
    from tinyserve.forecast import forecast
    from tinyserve.report.text.forecast import forecast_view

    with progress() as report:
        found = forecast(source, chosen, optimize, conversion, progress=report)
    stdout().print(forecast_view(source.name, found, chosen))


def _steps(source: Path, board: Board | None, optimize: Optimize, feed: Feed, conversion: Conversion) -> None:
    from tinyserve import workflow
    from tinyserve.bench.counts import profiling
    from tinyserve.bench.counts.steps import BUDGETS, BUDGETS_BY_ROWS, single_steps, worst_steps
    from tinyserve.cli.console import stdout
    from tinyserve.cli.progress import progress
    from tinyserve.errors import UsageError
    from tinyserve.report.text.steps import steps_view

    if board is None:
        raise UsageError("--steps counts on a board", "add --board (see `tinyserve boards`)")
    kind = workflow.choose_emulator(board, True, None, None) or ""
    build = workflow.Build(
        optimize, emulate=workflow.is_twin(board), operators=conversion.operators, feed=feed
    )
    with progress() as report:
        made = workflow.to_bundle(source, conversion, report)
        compiled = workflow.to_compiled(made, board, build, report)
        firmware = workflow.to_firmware(made, compiled, board, build, report)
        profile = profiling.run(made, firmware, kind, optimize, report)
        ticks = single_steps(profile, made, firmware, kind)
    by_rows = firmware.project.model.by_rows
    found = worst_steps(ticks, BUDGETS_BY_ROWS if by_rows else BUDGETS)
    stdout().print(steps_view(profile, found, by_rows))
