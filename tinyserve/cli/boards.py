"""tinyserve boards"""

from __future__ import annotations

import click


@click.command(name="boards")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(as_json: bool) -> None:
    """List the boards: core, clock, memory, and what emulates them.

    Your own board is a .toml file: give its path wherever a board's name goes.
    """
    from tinyserve import boards

    chosen = boards.all_boards()
    if as_json:
        import msgspec

        click.echo(msgspec.json.format(msgspec.json.encode(chosen), indent=2))
        return
    from tinyserve.cli.console import stdout
    from tinyserve.report.boards import board_table

    stdout().print(board_table(chosen))
