# SPDX-License-Identifier: Apache-2.0
"""tinyserve setup"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from tinyserve.cli.completion import BOARD, FRONTEND

if TYPE_CHECKING:
    from tinyserve.boards.types import Board


@click.command(name="setup")
@click.option(
    "--board",
    type=BOARD,
    help="Install what PlatformIO needs for this board; show its udev rule.",
)
@click.option(
    "--frontend", "frontends", type=FRONTEND, multiple=True,
    help="Install a front end (keras2, tensorflow, pytorch) in an environment of its own; repeatable.",
)  # fmt: skip
def command(*, board: str | None, frontends: tuple[str, ...]) -> None:
    """Make PlatformIO's private core directory, and install what a board or a front end needs.

    Nothing outside the cache directory is changed: commands that need apt or root are printed.
    """
    from tinyserve import boards, doctor
    from tinyserve.cli.progress import progress
    from tinyserve.firmware.platformio import core as cores
    from tinyserve.firmware.platformio import environment

    chosen = boards.load(board) if board else None
    with progress() as report:
        if frontends:
            from tinyserve.convert.frameworks import provision

            for name in frontends:
                click.echo(f"front end {name}: {provision.provision(name, report)}")
        if chosen is None and frontends:
            return
        core = cores.private_core()
        cores.provision(core)
        click.echo(f"PlatformIO core directory: {core}")
        if chosen is None:
            return
        _show_udev_rule(chosen)
        for name in environment.install(chosen, report) if chosen.platformio else []:
            click.echo(f"installed: {name}")
    for finding in doctor.examine(chosen):
        if finding.needed and not finding.ok:
            click.echo(f"still missing: {finding.name}: {finding.remedy}")


def _show_udev_rule(board: Board) -> None:
    """Only root can write it. Nothing where a rule is there, or the system has no udev."""
    from tinyserve import platforms
    from tinyserve.devices.serial import udev_rule
    from tinyserve.firmware.platformio.findings import udev_rule_file

    if platforms.here().has_udev and board.usb and not udev_rule_file(board):
        click.echo("To let every user open the board's port, put this into")
        click.echo(
            "/etc/udev/rules.d/99-tinyserve.rules, then: sudo udevadm control --reload; sudo udevadm trigger"
        )
        click.echo(udev_rule(board))
