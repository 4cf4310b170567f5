# SPDX-License-Identifier: Apache-2.0
"""tinyserve build"""

from __future__ import annotations

from pathlib import Path

import click

from tinyserve.cli import options
from tinyserve.cli.completion import BOARD, SOURCE
from tinyserve.cli.options import PATH, SOURCE_HELP, Making


@click.command(name="build", epilog=SOURCE_HELP)
@click.argument("source", type=SOURCE)
@click.option(
    "--board",
    required=True,
    type=BOARD,
    help="A board's name (see `tinyserve boards`) or a .toml.",
)
@click.option("--emulate", is_flag=True, help="Build for the board's twin.")
@click.option(
    "-o",
    "--output",
    type=PATH,
    metavar="DIR",
    help="Directory of the rendered project.  [default: BUNDLE/BOARD/]",
)
@click.option(
    "--slots",
    type=PATH,
    metavar="KEY",
    help="Firmware without a model, which takes images signed with KEY (a .pub): twins, boards with [slots].",
)
@click.option(
    "--slot-memory",
    type=click.IntRange(min=1),
    metavar="BYTES",
    help="RAM that it keeps for models.  [default: SOURCE's and a quarter more]",
)
@click.option("--no-health", is_flag=True, help="Firmware with slots without health counters.")
@click.option(
    "--secure", type=PATH, metavar="KEY",
    help="With --slots: inferences, updates and counters only for hosts that have the private half of KEY.",
)  # fmt: skip
@options.making
def command(
    *,
    source: Path,
    board: str,
    emulate: bool,
    output: Path | None,
    slots: Path | None,
    slot_memory: int | None,
    no_health: bool,
    secure: Path | None,
    making: Making,
) -> None:
    """Build the firmware for a board and report its size by part."""
    from tinyserve import boards, workflow
    from tinyserve.cli.console import stdout
    from tinyserve.cli.progress import progress
    from tinyserve.errors import UsageError
    from tinyserve.report.text.firmware import firmware_panel

    chosen = boards.load(board)
    if slots is not None:
        if making.feed != "whole":
            raise UsageError("--feed rows: models in slots take whole inputs", "leave one of the two out")
        from tinyserve.cli.field.build_slots import build_slots

        build_slots(
            source, chosen, slots, making,
            emulate=emulate, output=output, memory=slot_memory, health=not no_health, secure=secure,
            board_name=board,
        )  # fmt: skip
        return
    if slot_memory is not None or no_health or secure is not None:
        raise UsageError(
            "--slot-memory, --no-health and --secure are for firmware with slots", "add --slots KEY"
        )
    workflow.check_build(source, chosen, board, emulate)
    with progress() as report:
        made, firmware = making.firmware(source, chosen, report, emulate=emulate, directory=output)
    stdout().print(firmware_panel(made.manifest.name, firmware, chosen))
