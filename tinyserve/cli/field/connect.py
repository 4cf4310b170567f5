# SPDX-License-Identifier: Apache-2.0
"""Options of commands that talk to a device with slots."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

import click

from tinyserve.cli.completion import BOARD
from tinyserve.cli.options import PATH, chain


def connection(function: Callable[..., Any]) -> Callable[..., Any]:
    """--emulate, --port, --board, --baud, --line-key: which device, as one argument ``target``."""

    @wraps(function)
    def command(
        *,
        emulate: Path | None,
        port: str | None,
        board: str | None,
        baud: int,
        line_key: Path | None,
        **arguments: Any,
    ) -> Any:
        from tinyserve.slots.connection import Target

        return function(**arguments, target=Target(port, emulate, board, baud, line_key))

    return chain(
        click.option(
            "--emulate", type=PATH, metavar="DIR",
            help="The twin of the firmware in DIR (tinyserve build --slots); its flash is kept there.",
        ),
        click.option("--port", metavar="PORT", help="A board's serial port; 'auto' finds it."),
        click.option("--board", type=BOARD, help="The board at the port."),
        click.option(
            "--baud", type=click.IntRange(9600, 10_000_000), default=115200, show_default=True,
            help="Baud rate to switch to, up to what the board supports.",
        ),
        click.option(
            "--line-key", type=PATH, metavar="FILE",
            help="Private key that unlocks firmware built with --secure.",
        ),
    )(command)  # fmt: skip
