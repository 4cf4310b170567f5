# SPDX-License-Identifier: Apache-2.0
"""tinyserve monitor"""

from __future__ import annotations

import math
import time

import click

from tinyserve.cli.completion import BOARD
from tinyserve.cli.console import echo
from tinyserve.escapes import visible

QUIET_S = 5.0
QUIET = "nothing so far: press the board's reset button, or try another --baud"


@click.command(name="monitor")
@click.option("--board", type=BOARD, help="The board on the port.  [default: any]")
@click.option(
    "--port", default="auto", show_default=True, metavar="PORT", help="The serial port of the board."
)
@click.option(
    "--baud", type=click.IntRange(min=50, max=20_000_000), default=115_200, show_default=True,
    help="Baud rate of the firmware's serial port; 9600 in MLPerf Tiny's energy mode.",
)  # fmt: skip
def command(*, board: str | None, port: str, baud: int) -> None:
    """Show what a board says, decoded, until Ctrl-C.

    Without --board, 'auto' takes the only port with a USB id.
    """
    from msgspec.structs import replace

    from tinyserve import boards
    from tinyserve.devices import open_device
    from tinyserve.devices.link import NoAnswer
    from tinyserve.devices.serial import only_port
    from tinyserve.report.protocol import explain

    chosen = boards.load(board) if board else replace(boards.load("host"), id="board", name="Board", usb=[])
    if board is None and port == "auto":
        port = only_port()
    with open_device(None, chosen, port=port, baud=baud) as device:
        echo(f"listening to {device.description} at {baud} baud; Ctrl-C ends", err=True)
        silent_at = time.monotonic() + QUIET_S
        while True:
            try:
                line = device.link.read_line(0.5)
            except NoAnswer:
                if time.monotonic() >= silent_at:
                    echo(QUIET, err=True)
                    silent_at = math.inf
                continue
            silent_at = math.inf
            meaning = explain(line)
            shown = visible(line)
            click.echo(f"{shown}    {click.style(meaning, dim=True)}" if meaning else shown)
