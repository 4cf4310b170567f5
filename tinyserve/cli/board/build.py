# SPDX-License-Identifier: Apache-2.0
"""tinyserve build"""

from __future__ import annotations

from pathlib import Path

import click

from tinyserve.cli import options
from tinyserve.cli.options import PATH, SOURCE_HELP, Making


@click.command(name="build", epilog=SOURCE_HELP)
@click.argument("source", type=PATH)
@click.option(
    "--board", required=True, metavar="NAME", help="A board's name (see `tinyserve boards`) or a .toml."
)
@click.option("--emulate", is_flag=True, help="Build for the board's twin.")
@click.option(
    "-o",
    "--output",
    type=PATH,
    metavar="DIR",
    help="Directory of the rendered project.  [default: BUNDLE/BOARD/]",
)
@options.making
def command(
    *,
    source: Path,
    board: str,
    emulate: bool,
    output: Path | None,
    making: Making,
) -> None:
    """Build the firmware for a board and report its size by part."""
    from tinyserve import boards
    from tinyserve.cli.console import stdout
    from tinyserve.cli.progress import progress
    from tinyserve.report.text.firmware import firmware_panel

    chosen = boards.load(board)
    with progress() as report:
        made, firmware = making.firmware(source, chosen, report, emulate=emulate, directory=output)
    stdout().print(firmware_panel(made.manifest.name, firmware, chosen))
