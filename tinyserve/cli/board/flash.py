# SPDX-License-Identifier: Apache-2.0
"""tinyserve flash"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from tinyserve.cli import options
from tinyserve.cli.completion import BOARD, SOURCE
from tinyserve.cli.console import echo
from tinyserve.cli.options import PATH, SOURCE_HELP, Converting

if TYPE_CHECKING:
    from tinyserve.compiler.program import Feed, Optimize


@click.command(name="flash", epilog=SOURCE_HELP)
@click.argument("source", type=SOURCE)
@click.option(
    "--board",
    required=True,
    type=BOARD,
    help="A board's name (see `tinyserve boards`) or a .toml.",
)
@click.option(
    "--port", default="auto", show_default=True, metavar="PORT",
    help="Serial port; 'none' for a new board that shows none yet.",
)  # fmt: skip
@click.option("--emulate", is_flag=True, help="Build the board's twin with PlatformIO and start that.")
@click.option(
    "-o", "--output", type=PATH, metavar="DIR",
    help="Directory of the PlatformIO project.  [default: BUNDLE/BOARD-platformio/]",
)  # fmt: skip
@click.option(
    "--energy-pin", type=click.IntRange(min=0), metavar="PIN",
    help="MLPerf Tiny's energy mode: time stamps are edges of this pin, the line runs at 9600 baud.",
)  # fmt: skip
@options.optimize
@options.feed
@options.engine
@options.conversion
def command(
    *,
    source: Path,
    board: str,
    port: str,
    emulate: bool,
    output: Path | None,
    energy_pin: int | None,
    optimize: Optimize,
    feed: Feed,
    engine: str,
    tflm: str,
    converting: Converting,
) -> None:
    """Build with PlatformIO, upload to the board, wait for m-ready, and check the model's hash.

    PlatformIO keeps its packages in a core directory of tinyserve's own, or in PLATFORMIO_CORE_DIR where that
    is set. Emulated boards and twins (--emulate) are built by PlatformIO too, and started on their emulator.
    """
    from tinyserve import boards, workflow
    from tinyserve.cli.progress import progress
    from tinyserve.errors import UsageError
    from tinyserve.firmware.platformio import core, deploy
    from tinyserve.firmware.tflm_library import check_engine

    if emulate and port != "auto":
        raise UsageError("--port names a real board, --emulate its twin", "give one of them")
    chosen = boards.load(board)
    if energy_pin is not None and emulate:
        raise UsageError("--energy-pin names a pin of a real board", "tinyserve device --pty --energy-mode")
    twin = deploy.check_board(chosen, board, emulate, engine)
    check_engine(engine, chosen, "gcc", twin, tflm)
    with progress() as report:
        if not twin:
            deploy.require(chosen, port, report)
        made = workflow.to_bundle(source, converting.conversion(engine), report)
        compiled = workflow.to_compiled(
            made, chosen, workflow.Build(optimize, engine, operators=converting.operators, feed=feed), report
        )
        identity = made.manifest.mlperf_id or made.manifest.name
        directory = output or workflow.inside(made, f"{chosen.id}-platformio")
        place = core.core_for(emulated=twin)
        lines = deploy.deploy(
            compiled, chosen, directory, place,
            engine=engine, emulate=twin, model_id=identity, port=port, energy_pin=energy_pin, tflm=tflm,
            progress=report,
        )  # fmt: skip
    for line in lines:
        echo(line)
