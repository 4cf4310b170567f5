# SPDX-License-Identifier: Apache-2.0
"""tinyserve slots"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from tinyserve.cli.console import echo
from tinyserve.cli.field.connect import connection

if TYPE_CHECKING:
    from tinyserve.slots.connection import Target


@click.command(name="slots")
@click.option("--confirm", is_flag=True, help="Keep the model on trial for good.")
@click.option("--revert", is_flag=True, help="End the trial, and go back to the model before.")
@click.option("--erase", is_flag=True, help="Empty the slot that does not serve.")
@click.option("--pty", is_flag=True, help="Keep the twin on a pseudo-terminal, for smpmgr and others.")
@connection
def command(
    *,
    confirm: bool,
    revert: bool,
    erase: bool,
    pty: bool,
    target: Target,
) -> None:
    """Show what a device's slots hold, their state, and why something was refused."""
    from tinyserve.errors import UsageError
    from tinyserve.report.text.slots import slot_lines
    from tinyserve.slots.connection import connect

    if confirm + revert + erase + pty > 1:
        raise UsageError("--confirm, --revert, --erase and --pty exclude each other", "give one of them")
    if pty:
        _serve(target.twin)
        return
    with connect(target) as device:
        if confirm:
            device.confirm()
        if revert:
            device.revert()
        if erase:
            device.erase()
        for line in slot_lines(device.slots(), device.model()):
            echo(line)


def _serve(emulate: Path | None) -> None:
    from tinyserve.devices.pty import serve
    from tinyserve.errors import UsageError
    from tinyserve.slots.connection import held, open_twin

    if emulate is None:
        raise UsageError("--pty serves a twin", "--emulate DIR names its firmware")
    with held(emulate), open_twin(emulate) as device:
        echo(device.description, err=True)
        serve(device, echo)
