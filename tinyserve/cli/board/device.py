# SPDX-License-Identifier: Apache-2.0
"""tinyserve device"""

from __future__ import annotations

from pathlib import Path

import click

from tinyserve.cli import options
from tinyserve.cli.completion import BOARD, EMULATOR, SOURCE
from tinyserve.cli.console import echo
from tinyserve.cli.options import SOURCE_HELP, Making


@click.command(name="device", epilog=SOURCE_HELP)
@click.argument("source", type=SOURCE)
@click.option("--board", required=True, type=BOARD, help="The board whose twin to start.")
@click.option("--emulator", type=EMULATOR, help="The emulator: unicorn, qemu, renode or host.")
@click.option("--pty", is_flag=True, help="Serve on a pseudo-terminal, until Ctrl-C.", required=True)
@click.option(
    "--energy-mode",
    is_flag=True,
    help="MLPerf Tiny's energy mode: time stamps are edges of a pin instead of lines.",
)
@options.making
def command(
    *,
    source: Path,
    board: str,
    emulator: str | None,
    pty: bool,
    energy_mode: bool,
    making: Making,
) -> None:
    """Keep an emulated board on a pseudo-terminal, as a serial port for any MLPerf Tiny runner.

    The port's path is printed on stdout as soon as programs may open it. Its time stamps are estimates:
    name% and profile% say so.
    """
    from tinyserve import boards, workflow
    from tinyserve.cli.progress import progress
    from tinyserve.devices import open_device
    from tinyserve.devices.pty import serve

    chosen = boards.load(board)
    kind = workflow.choose_emulator(chosen, True, emulator, None)
    with progress() as report:
        twin = workflow.is_twin(chosen)
        firmware = making.timed_twin(source, chosen, report, emulate=twin, energy_mode=energy_mode)
    with open_device(firmware, chosen, emulator=kind) as device:
        echo(device.description, err=True)
        serve(device, echo)
