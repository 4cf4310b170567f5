# SPDX-License-Identifier: Apache-2.0
"""Options of commands that talk to a device with slots."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from tinyserve.cli.completion import BOARD
from tinyserve.cli.options import PATH, chain

F = TypeVar("F", bound=Callable[..., Any])


def connection(function: F) -> F:
    """--emulate, --port, --board, --baud: which device."""
    return chain(
        click.option(
            "--emulate", type=PATH, metavar="DIR",
            help="The twin of the firmware in DIR (tinyserve build --slots); what it keeps lies there, too.",
        ),
        click.option("--port", metavar="PORT", help="A board's serial port; 'auto' finds it."),
        click.option("--board", type=BOARD, help="The board at the port."),
        click.option(
            "--baud", type=click.IntRange(min=1200), default=115200, show_default=True, help="Of the port."
        ),
    )(function)  # fmt: skip
