# SPDX-License-Identifier: Apache-2.0
"""tinyserve update"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from tinyserve.cli.console import echo
from tinyserve.cli.field.connect import connection
from tinyserve.cli.options import PATH

if TYPE_CHECKING:
    from tinyserve.slots.connection import Target


@click.command(name="update")
@click.argument("image", type=PATH)
@click.option("--no-confirm", is_flag=True, help="Leave the model on trial: it ends after three boots.")
@connection
def command(*, image: Path, no_confirm: bool, target: Target) -> None:
    """Put a signed model image on a device: upload, verify, prove, try, confirm.

    IMAGE is the directory that `tinyserve sign` wrote, or one image of it. The device checks signature,
    counter, core, interface and RAM, and computes the golden vector, before it serves the model. What it
    refuses leaves the model that it had, and ends with exit status 10 and the device's reason. An upload that
    was interrupted goes on where it ended.
    """
    from tinyserve.cli.progress import progress
    from tinyserve.slots.connection import connect
    from tinyserve.slots.update import images, update

    offered = images(image)
    with progress() as report, connect(target, report) as device:
        done = update(device, offered, confirm=not no_confirm, progress=report)
    state = "confirmed" if done.confirmed else "on trial, not confirmed"
    before = "was there already, " if done.was_there else ""
    echo(f"slot {done.slot}: {done.image.path} {before}{state}")
