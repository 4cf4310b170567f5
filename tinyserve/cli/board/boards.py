# SPDX-License-Identifier: Apache-2.0
"""tinyserve boards"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from tinyserve.cli import options
from tinyserve.cli.options import PATH, Converting

if TYPE_CHECKING:
    from tinyserve.compiler.program import Optimize


@click.command(name="boards")
@click.option("--fits", type=PATH, metavar="SOURCE", help="Only boards that this model's firmware fits.")
@click.option(
    "--check", type=PATH, metavar="TOML", help="Check a board file of your own, and list what it still lacks."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@options.optimize
@options.conversion
def command(
    *,
    fits: Path | None,
    check: Path | None,
    as_json: bool,
    optimize: Optimize,
    converting: Converting,
) -> None:
    """List the boards: core, clock, memory, and what emulates them.

    With --fits the model is compiled for each core, and its firmware is built where the exact size
    decides. With --check one file is checked for what a contribution needs: two documents per fact,
    a way to get firmware onto the board, USB ids by which its port is found.

    Your own board is a .toml file: give its path wherever a board's name goes.
    """
    from tinyserve import boards, workflow
    from tinyserve.cli.progress import progress

    if check is not None:
        _check(check)
        return
    chosen = boards.all_boards()
    if fits is not None:
        conversion = converting.conversion()
        with progress() as report:
            chosen = workflow.boards_that_fit(fits, conversion, optimize, chosen, report)
    if as_json:
        import msgspec

        click.echo(msgspec.json.format(msgspec.json.encode(chosen), indent=2))
        return
    from tinyserve.cli.console import stdout
    from tinyserve.report.text.boards import board_table

    console = stdout()
    console.print(board_table(chosen, console.width))


def _check(path: Path) -> None:
    """Raises UsageError for a bad file and for one that lacks something."""
    from tinyserve import boards
    from tinyserve.boards.check import findings
    from tinyserve.errors import UsageError

    board = boards.load_file(path)
    missing = findings(board)
    if missing:
        raise UsageError(
            f"{path} is read, and still needs:\n" + "\n".join(f"  {line}" for line in missing),
            "docs/guide/boards.md says what each key is for; boards/nano33.toml is complete",
        )
    click.echo(f"{path}: complete")
