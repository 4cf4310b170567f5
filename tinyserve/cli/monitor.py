"""tinyserve monitor"""

from __future__ import annotations

import click


@click.command(name="monitor")
@click.option("--board", required=True, metavar="NAME", help="The board on the port.")
@click.option("--port", default="auto", show_default=True, metavar="PORT", help="Its serial port.")
def command(*, board: str, port: str) -> None:
    """Show what a board says, decoded, until Ctrl-C."""
    from tinyserve import boards
    from tinyserve.devices import open_device
    from tinyserve.devices.link import NoAnswer
    from tinyserve.report.protocol import explain

    with open_device(None, boards.load(board), port=port) as device:
        click.echo(f"{device.description}; Ctrl-C ends", err=True)
        while True:
            try:
                line = device.link.read_line(0.5)
            except NoAnswer:
                continue
            meaning = explain(line)
            click.echo(f"{line}    {click.style(meaning, dim=True)}" if meaning else line)
